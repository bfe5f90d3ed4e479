import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RegistryError } from "@fleet/domain/cluster";
import type { Answer, JournalQuestion } from "@fleet/link";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { fakeDetails } from "./testing/fake-details.ts";
import { agentVerbs } from "./verbs.ts";

const fake = fakeRegistry();
const folder = temporaryFolder();
let unitsDirectory: string;
let foreign: string | null;

beforeEach(() => {
  unitsDirectory = join(folder(), "units");
  mkdirSync(unitsDirectory, { recursive: true });
  writeFileSync(join(unitsDirectory, "a.service"), "");
  foreign = null;
});

/** What the agent answers where journalctl is this script. */
function ask(question: JournalQuestion, script: string, signal = new AbortController().signal): AsyncIterable<Answer> {
  const verbs = agentVerbs({
    registry: fake.registry(),
    ...{ unitsDirectory, isUser: false, journalctl: ["sh", "-c", script, "journalctl"] },
    connectDetails: async () => fakeDetails({ foreignPath: async () => foreign }),
  });
  return verbs.journal(question, signal);
}

async function textOf(answers: AsyncIterable<Answer>): Promise<string> {
  let text = "";
  for await (const { journal } of answers) text += Buffer.from(journal?.json ?? []).toString();
  return text;
}

const PRINT = 'printf "%s\\n" "$@"';

describe("a journal", () => {
  it("is what journalctl prints, byte by byte", async () => {
    expect(await textOf(ask({ units: ["a.service"] }, "printf 'one\\ntwo'"))).toBe("one\ntwo");
  });

  it("is turned around where journalctl prints the newest entry first", async () => {
    const question = { units: ["a.service"], grep: "x", lines: 3 };
    expect(await textOf(ask(question, "printf '3\\n2\\n1\\n'"))).toBe("1\n2\n3\n");
  });

  it("that has to be turned around and is larger than 8 MiB is refused, with what to do", async () => {
    const question = { units: ["a.service"], grep: "x", lines: 10_000 };
    await expect(textOf(ask(question, "head -c 9000000 /dev/zero"))).rejects.toThrow(
      "more than 8 MiB match: ask for fewer lines, or a time",
    );
  });

  it("that journalctl complains about is refused with its first sentence", async () => {
    const question = { units: ["a.service"], since: "yesterdy" };
    await expect(textOf(ask(question, "echo 'Failed to parse timestamp: yesterdy' >&2; exit 1"))).rejects.toThrow(
      "Failed to parse timestamp: yesterdy",
    );
  });

  it("without any entry that matches is empty, though journalctl then exits with 1", async () => {
    expect(await textOf(ask({ units: ["a.service"], grep: "x" }, "exit 1"))).toBe("");
  });

  it("that nobody wants any more has no journalctl", async () => {
    const over = new AbortController();
    const answers = ask({ units: ["a.service"], follow: true }, "echo $$; exec sleep 1000", over.signal);
    let pid = 0;
    for await (const { journal } of answers) {
      const text = Buffer.from(journal?.json ?? []).toString();
      if (text === "") continue;
      pid = Number(text);
      over.abort();
    }
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it("begins, for a unit that has arrived, where fleet loaded it here", async () => {
    utimesSync(join(unitsDirectory, "a.service"), 1_000, 1_000);
    expect(await textOf(ask({ units: [], arrived: ["a.service"] }, PRINT))).toContain("--since=@999.000\n");
  });
});

describe("nothing is told of", () => {
  it("a unit that is not fleet's", async () => {
    await expect(textOf(ask({ units: ["ssh.service"] }, PRINT))).rejects.toThrow(
      "ssh.service is none of fleet's units: nothing is told of the machine's own",
    );
  });

  it("a unit of the machine's own that the registry has a unit of the same name of", async () => {
    const { registry } = fake;
    const { etcd, keys } = registry();
    const value = JSON.stringify({ hash: "0".repeat(40), desiredState: "inactive" });
    await etcd.txn([], [{ put: keys.unit("ssh.service"), value }]);
    foreign = "/usr/lib/systemd/system/ssh.service";
    await expect(textOf(ask({ units: ["ssh.service"] }, PRINT))).rejects.toThrow("comes from /usr/lib/systemd/system");
    foreign = null;
    expect(await textOf(ask({ units: ["ssh.service"] }, PRINT))).toContain("--unit=ssh.service");
  });

  it("a unit that was fleet's where the machine's own has its name by now", async () => {
    const writer = fake.registry().unitWriter();
    const options = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
    await writer.submit({ kind: "set", name: "gone.service", options, desiredState: "inactive" });
    await writer.submit({ kind: "destroy", name: "gone.service" });
    expect(await textOf(ask({ units: ["gone.service"] }, PRINT))).toContain("--unit=gone.service");
    foreign = "/usr/lib/systemd/system/gone.service";
    await expect(textOf(ask({ units: ["gone.service"] }, PRINT))).rejects.toThrow("comes from /usr/lib/systemd/system");
  });

  it("a unit whose history the agent may not read", async () => {
    vi.spyOn(fake.registry(), "versions").mockRejectedValue(new RegistryError("forbidden", "permission denied"));
    await expect(textOf(ask({ units: ["gone.service"] }, PRINT))).rejects.toThrow("is none of fleet's units");
    vi.spyOn(fake.registry(), "versions").mockRejectedValue(new RegistryError("unavailable", "away"));
    await expect(textOf(ask({ units: ["gone.service"] }, PRINT))).rejects.toThrow("away");
  });

  it.each(["../a.service", "a b.service", "*.service", "--root=/"])("%s, which is no unit's name", async (name) => {
    await expect(textOf(ask({ units: [name] }, PRINT))).rejects.toThrow("is no unit's name");
  });

  it("what stands behind a cursor that is none", async () => {
    await expect(textOf(ask({ units: ["a.service"], after: "x --root=/" }, PRINT))).rejects.toThrow("is no cursor");
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

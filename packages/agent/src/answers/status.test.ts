import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StatusQuestion, UnitStatus } from "@fleet/link";
import { beforeEach, describe, expect, it } from "vitest";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import type { UnitDetails } from "../systemd/unit-details.ts";
import { fakeDetails } from "./testing/fake-details.ts";
import { agentVerbs } from "./verbs.ts";

const MIB = 1024 * 1024;
const fake = fakeRegistry();
const folder = temporaryFolder();
let unitsDirectory: string;
let connected: number;
let closed: number;

beforeEach(() => {
  unitsDirectory = join(folder(), "units");
  mkdirSync(unitsDirectory, { recursive: true });
  for (const name of ["a.service", "b.service"]) writeFileSync(join(unitsDirectory, name), "");
  connected = 0;
  closed = 0;
});

/** Statuses where journalctl is this script, or this program, and systemd says this. */
async function statuses(
  question: StatusQuestion,
  journalctl: string | readonly string[],
  details: Partial<UnitDetails> = {},
): Promise<readonly UnitStatus[]> {
  const verbs = agentVerbs({
    registry: fake.registry(),
    ...{ unitsDirectory, isUser: false },
    journalctl: typeof journalctl === "string" ? ["sh", "-c", journalctl, "journalctl"] : journalctl,
    connectDetails: async () => {
      connected++;
      return fakeDetails({ ...details, close: () => closed++ });
    },
  });
  const found: UnitStatus[] = [];
  for await (const { status } of verbs.status(question, new AbortController().signal))
    if (status !== undefined) found.push(status);
  return found;
}

const journalOf = (status: UnitStatus | undefined): string => Buffer.from(status?.journal ?? []).toString();

describe("a status", () => {
  it("has what systemd says, processes, figures and the last lines of the journal, of each unit", async () => {
    const found = await statuses({ units: ["a.service", "b.service"], lines: 3 }, 'printf "%s\\n" "$@"', {
      properties: async (name) =>
        new Map<string, unknown>([
          ["Description", `of ${name}`],
          ["ActiveState", "active"],
        ]),
      processes: async () => [{ pid: 7, command: "sleep 1", controlGroup: "/a" }],
      figures: async () => ({ cpuNs: 2_000_000n, memoryBytes: 5n, tasks: 1n, ioReadBytes: null, ioWriteBytes: null }),
    });
    expect(found).toMatchObject([
      {
        ...{
          unit: "a.service",
          description: "of a.service",
          activeState: "active",
          cpuMs: 2,
          memoryBytes: 5,
          tasks: 1,
        },
        processes: [{ pid: 7, command: "sleep 1", controlGroup: "/a" }],
      },
      { unit: "b.service", description: "of b.service" },
    ]);
    expect(found[0]).not.toHaveProperty("ioReadBytes");
    expect(journalOf(found[1])).toContain("--lines=3\n--unit=b.service\n");
    expect([connected, closed]).toEqual([1, 1]);
  });

  it("has the newest lines, and whole ones, where the journal is large", async () => {
    const print = `i=0; while [ $i -lt 2100 ]; do printf '%01000d\\n' $i; i=$((i+1)); done`;
    const lines = journalOf((await statuses({ units: ["a.service"], lines: 5_000 }, print))[0]).split("\n");
    expect(lines.pop()).toBe("");
    expect(Number(lines.at(-1))).toBe(2_099);
    expect(lines.map(Number)).toEqual(lines.map((_line, index) => 2_100 - lines.length + index));
    expect(lines.every((line) => line.length === 1_000)).toBe(true);
    expect(lines.length).toBe(Math.floor(MIB / 1_001));
  });

  it("has no line where the last one alone is too large", async () => {
    const print = `head -c ${2 * MIB} /dev/zero | tr '\\0' x; echo`;
    expect(journalOf((await statuses({ units: ["a.service"], lines: 1 }, print))[0])).toBe("");
  });

  it("stands without a journal where journalctl complains, or is not there", async () => {
    for (const journalctl of ["echo 'no journal files were found' >&2; exit 1", ["/nonexistent/journalctl"]]) {
      const [status] = await statuses({ units: ["a.service"], lines: 3 }, journalctl);
      expect(status).toMatchObject({ unit: "a.service" });
      expect(journalOf(status)).toBe("");
    }
  });

  it("asks for no journal where no line is wanted", async () => {
    const [status] = await statuses({ units: ["a.service"], lines: 0 }, "echo asked");
    expect(journalOf(status)).toBe("");
  });

  it("of units that are not on this machine checks them once", async () => {
    const { etcd, keys } = fake.registry();
    const value = JSON.stringify({ hash: "0".repeat(40), desiredState: "inactive" });
    const away = ["c.service", "d.service"];
    await etcd.txn(
      [],
      away.map((name) => ({ put: keys.unit(name), value })),
    );
    const before = fake.etcd().asked.get("range") ?? 0;
    expect(await statuses({ units: away, lines: 3 }, "echo line")).toHaveLength(2);
    // One connection to check them, and one to ask.
    expect([connected, closed]).toEqual([2, 2]);
    expect((fake.etcd().asked.get("range") ?? 0) - before).toBeLessThanOrEqual(1);
  });

  it("of a unit that is not fleet's is refused", async () => {
    await expect(statuses({ units: ["a.service", "ssh.service"], lines: 3 }, "echo line")).rejects.toThrow(
      "ssh.service is none of fleet's units",
    );
  });
});

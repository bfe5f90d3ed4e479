import { spawn } from "node:child_process";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { JournalFields } from "@fleet/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { TestCluster } from "../testbed/test-cluster.ts";

// What fleetctl shows of units and machines by way of the API: the hosts have no sshd, and fleetctl has no key.

let cluster: TestCluster;

/** Says who it is, and complains, five times a second. */
const talker = (more: string): string =>
  `[Unit]
Description=Talks
[Service]
ExecStart=/bin/sh -c 'n=0; while :; do n=$((n+1)); echo %p-%i says $n; echo "<3>%p-%i fails $n"; sleep 0.2; done'
[X-Fleet]
${more}`;

beforeAll(async () => {
  const config = "link_listen=0.0.0.0:49161";
  const hosts = [
    { agent: true, engine: true, api: true, config },
    { agent: true, engine: true, api: true, config },
    { agent: true },
  ];
  cluster = await TestCluster.start(hosts, "agent_ttl=8s");
  cluster.file("web@.service", talker("Conflicts=web@*\n"));
  await cluster.ok("start", cluster.file("all.service", talker("Global=true\n")));
  await cluster.fleetctl("start", cluster.file("fails.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n"));
}, 120_000);
afterAll(() => cluster?.stop());
beforeEach(async () => {
  await cluster.ok("start", "web@1", "web@2");
});

const machineOf = async (unit: string): Promise<{ readonly id: string; readonly name: string }> => {
  const index = await cluster.hostOf(unit);
  return { id: cluster.cluster.network.hosts.get(index)?.machineID ?? "", name: `h${index}` };
};
const linesOf = (text: string): readonly string[] => text.trimEnd().split("\n");

/** A fleetctl that follows the journal, with what it has printed so far. */
function followJournal(endpoint: string, ...args: readonly string[]) {
  const child = spawn(join(BIN, "fleetctl"), ["logs", "-f", "-o", "cat", ...args], {
    env: { FLEETCTL_ENDPOINT: endpoint, HOME: cluster.folder, PATH: process.env.PATH ?? "" },
  });
  const followed = {
    lines: "",
    notes: "",
    ended: new Promise((resolve) => child.once("exit", resolve)),
    stop: () => void child.kill("SIGINT"),
  };
  child.stdout.on("data", (chunk) => {
    followed.lines += chunk;
  });
  child.stderr.on("data", (chunk) => {
    followed.notes += chunk;
  });
  return followed;
}

describe("journal", () => {
  it("merges the instances of a glob or a template and the machines of a global unit, each line with its unit", async () => {
    await cluster.until("lines of both", async () => {
      const text = await cluster.ok("journal", "-n", "8", "web@*");
      return text.includes("web@1.service") && text.includes("web@2.service");
    });
    for (const typed of ["web@*", "web@"]) {
      const lines = linesOf(await cluster.ok("logs", "-n", "8", typed));
      expect(lines).toHaveLength(8);
      for (const line of lines)
        expect(line).toMatch(/^web@(\d)\.service \| \w{3} \d\d \d\d:\d\d:\d\d h\d \S+\[\d+\]: web-\1 /);
    }
    const global = linesOf(await cluster.ok("journal", "-n", "30", "-o", "cat", "all"));
    expect(new Set(global.map((line) => /^all\.service (h\d) +\| all- /.exec(line)?.[1]))).toEqual(
      new Set(["h1", "h2", "h3"]),
    );
    const { id } = await machineOf("web@1.service");
    const ofOne = linesOf(await cluster.ok("journal", "-n", "5", "-o", "cat", "--machine", id, "web@*", "all"));
    expect(ofOne.every((line) => /^(web@1|all)\.service /.test(line))).toBe(true);
  });

  it("has each filter of journalctl", async () => {
    const cat = async (...flags: readonly string[]) =>
      linesOf(await cluster.ok("journal", "-o", "cat", "--no-prefix", ...flags, "web@1", "web@2"));
    expect(await cat("-n", "3")).toHaveLength(3);
    expect((await cat("-n", "6", "-p", "err")).every((line) => / fails \d+$/.test(line))).toBe(true);
    const found = await cat("-n", "6", "-g", "says [0-9]*[02468]$");
    expect(found).toHaveLength(6);
    expect(found.every((line) => / says \d*[02468]$/.test(line))).toBe(true);
    expect((await cat("-n", "all", "-p", "6..7")).some((line) => line.includes("fails"))).toBe(false);
    expect((await cat("--since", "-2s")).length).toBeLessThan((await cat("-n", "all")).length);
    const past = (await cluster.ok("journal", "--until", "-1h", "web@1")).trim();
    expect(past).toBe("");
    const { code, stderr } = await cluster.fleetctl("journal", "-n", "3", "none@*");
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'Error: no unit matches "none@*"\n' });
  });

  it.each([
    ["short", /^\w{3} \d\d \d\d:\d\d:\d\d h\d \S+\[\d+\]: web-1 /],
    ["short-iso", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:?\d\d h\d \S+\[\d+\]: web-1 /],
    ["short-precise", /^\w{3} \d\d \d\d:\d\d:\d\d\.\d{6} h\d \S+\[\d+\]: web-1 /],
    ["short-unix", /^\d{10}\.\d{6} h\d \S+\[\d+\]: web-1 /],
    ["cat", /^web-1 (says|fails) \d+$/],
  ])("has the format %s", async (format, line) => {
    const lines = linesOf(await cluster.ok("journal", "-n", "4", "-g", "web-1", "-o", format, "web@1"));
    expect(lines).toHaveLength(4);
    for (const text of lines) expect(text).toMatch(line);
  });

  it("has every field for programs, in JSON and for systemd-journal-remote", async () => {
    const [json = ""] = linesOf(await cluster.ok("journal", "-n", "1", "-g", "web-1", "-o", "json", "web@1"));
    const { id } = await machineOf("web@1.service");
    expect(JSON.parse(json) as JournalFields).toMatchObject({
      ...{ _SYSTEMD_UNIT: "web@1.service", _MACHINE_ID: id, MESSAGE: expect.stringMatching(/^web-1 /) },
    });
    const exported = await cluster.ok("journal", "-n", "2", "-g", "web-1", "-o", "export", "web@1");
    expect(exported.match(/^__CURSOR=/gm)).toHaveLength(2);
    expect(exported.endsWith("\n\n")).toBe(true);
    expect((await cluster.fleetctl("journal", "--prefix", "-o", "json", "web@1")).stderr).toContain("does not go with");
  });

  it("follows units that restart and move, says so, and ends with how each of them ended", async () => {
    const followed = followJournal(cluster.cluster.endpoint(), "-n", "0", "web@*");
    await cluster.until("lines of both", () =>
      ["web@1", "web@2"].every((unit) => followed.lines.includes(`${unit}.service |`)),
    );
    await cluster.ok("restart", "web@1");
    await cluster.until("the restart to be told", () =>
      /^-- web@1\.service was started again --$/m.test(followed.notes),
    );
    const { id, name } = await machineOf("web@2.service");
    await cluster.ok("drain", id);
    const to = await machineOf("web@2.service");
    await cluster.until("lines of its new machine", () => followed.lines.includes(`web@2.service ${to.name}`));
    expect(followed.notes).toMatch(new RegExp(`^-- web@2\\.service .*${name} .*${to.name}.* --$`, "m"));
    await cluster.ok("uncordon", id);
    await cluster.ok("stop", "web@1");
    await cluster.ok("destroy", "web@2");
    await cluster.ok("destroy", "web@1");
    const code = await followed.ended;
    expect({ code, last: linesOf(followed.notes).slice(-2).toSorted() }).toEqual({
      ...{ code: 0, last: ["-- web@1.service was destroyed --", "-- web@2.service was destroyed --"] },
    });
  });
});

describe("an API that goes away", () => {
  it("leaves its readers to another one, without a lost or a doubled line", async () => {
    const first = cluster.cluster.endpoint();
    const { hosts } = cluster.cluster.network;
    const second = first.replace(hosts.get(1)?.address ?? "", hosts.get(2)?.address ?? "");
    const followed = followJournal(`${first},${second}`, "-n", "1", "-g", "says", "web@1", "web@2");
    const numbers = (instance: number): readonly number[] =>
      [...followed.lines.matchAll(new RegExp(`web-${instance} says (\\d+)$`, "gm"))].map(([, number]) =>
        Number(number),
      );
    await cluster.until("lines of both", () => numbers(1).length > 3 && numbers(2).length > 3);
    // systemd keeps the socket of one that is killed, and starts it again: it goes on where it was.
    await cluster.cluster.network.must(1, "systemctl", "kill", "-s", "KILL", "fleet-api");
    await cluster.until("the stream to go on", () =>
      followed.notes.includes("the connection broke; it goes on at http"),
    );
    await cluster.cluster.network.must(1, "systemctl", "stop", "fleet.socket", "fleet-api");
    await cluster.until("the other API", () => followed.notes.includes(`it goes on at ${second}`));
    const [one, two] = [numbers(1).length, numbers(2).length];
    await cluster.until("more lines", () => numbers(1).length > one + 5 && numbers(2).length > two + 5);
    followed.stop();
    await followed.ended;
    for (const instance of [1, 2]) {
      const [begun = 0] = numbers(instance);
      expect(numbers(instance)).toEqual(Array.from(numbers(instance), (_number, index) => begun + index));
    }
    await cluster.cluster.network.must(1, "systemctl", "start", "fleet.socket", "fleet-api");
    await cluster.until("the API to be back", async () => (await cluster.fleetctl("list-units")).code === 0);
  });
});

describe("status", () => {
  it("is systemctl's, of several units and each machine of a global one, with the first exit code that is not 0", async () => {
    const { code, stdout } = await cluster.fleetctl("status", "-n", "2", "web@1", "all", "fails");
    expect(code).toBe(3);
    const parts = stdout.split(/\n\n(?=\S )/);
    expect(parts).toHaveLength(5);
    expect(parts[0]).toMatch(/^● web@1\.service - Talks\n[\s\S]*Active: active \(running\) since .*\n[\s\S]*CGroup: /);
    expect(parts[0]).toMatch(/Main PID: \d+ \(sh\)/);
    expect(parts[0]).toMatch(/\n\S.* web-1 (says|fails) \d+\n.* web-1 (says|fails) \d+$/);
    expect(parts[4]).toContain("Active: failed (Result: exit-code)");
    expect((await cluster.fleetctl("status", "web@*")).code).toBe(0);
    const [json] = JSON.parse(await cluster.ok("status", "-o", "json", "web@1")) as [object];
    expect(json).toMatchObject({ unit: "web@1.service", status: [{ activeState: "active" }] });
  });
  it("of a machine has its load, memory and units by state", async () => {
    const { id, name } = await machineOf("web@1.service");
    const { code, stdout } = await cluster.fleetctl("status", name);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^● ${name}\n +Machine: ${id}\n +State: ready\n[\\s\\S]* Load: .*\n +Memory: .* of .*\n`),
    );
    expect(stdout).toMatch(/ Units: \d+: \d+ running/);
  });
  it("says what there is not", async () => {
    expect(await cluster.fleetctl("status", "none")).toMatchObject({
      ...{
        code: 1,
        stdout: "",
        stderr: "Error: Unit none.service does not exist. No machine is called none either.\n",
      },
    });
  });
});

describe("top", () => {
  it("shows machines and units once, in 120 columns at most and without colour", async () => {
    const { code, stdout, stderr } = await cluster.fleetctl("top", "--once", "web@*");
    expect({ code, stderr, plain: stripVTControlCharacters(stdout) }).toEqual({ code: 0, stderr: "", plain: stdout });
    for (const host of ["h1", "h2", "h3"]) expect(stdout).toMatch(new RegExp(`^${host} +[\\d.]+ +\\d+ +[\\d.]+ `, "m"));
    expect(stdout).toMatch(/^web@1\.service +h\d +running +[\d.]+ +(-|[\d.]+[KM]) +(-|\d+) /m);
    expect(Math.max(...linesOf(stdout).map((line) => line.length))).toBeLessThanOrEqual(120);
  });
  it("has every figure in JSON", async () => {
    const { machines, units } = JSON.parse(await cluster.ok("top", "-o", "json", "--machine", "h1", "all")) as {
      readonly machines: readonly object[];
      readonly units: readonly object[];
    };
    expect(machines).toMatchObject([{ hostname: "h1", error: null, cpu: expect.any(Number) }]);
    // Memory and tasks are accounted where the hosts' own systemd may have these controllers.
    expect(units).toMatchObject([{ name: "all.service", hostname: "h1", active: "active", cpu: expect.any(Number) }]);
  });
  it("goes on in a terminal of 80 columns without colours, follows keys, and gives the terminal back", async () => {
    const line = `stty cols 80 rows 12; ${join(BIN, "fleetctl")} top -d 0.5; echo left with $?`;
    const child = spawn("script", ["-qec", line, "/dev/null"], {
      env: {
        ...{ FLEETCTL_ENDPOINT: cluster.cluster.endpoint(), HOME: cluster.folder, PATH: process.env.PATH ?? "" },
        ...{ TERM: "xterm", NO_COLOR: "1" },
      },
    });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await cluster.until("units with their rates", () => /web@1\.service +h\d +running +\d/.test(text));
    child.stdin.write("m");
    await cluster.until("the other order", () => text.includes("sorted by memory"));
    child.stdin.write("q");
    await cluster.until("it to end", () => text.includes("left with 0"));
    child.stdin.end();
    await ended;
    // Each line is drawn at its place; reversed and bold writing is no colour.
    const drawn = text.split("\u001b[?1049h")[1]?.split("\u001b[?1049l")[0] ?? "";
    const rows = drawn
      .split(/\u001b\[\d+;1H/)
      .slice(1)
      .map(stripVTControlCharacters);
    expect(rows.length).toBeGreaterThan(12);
    expect(Math.max(...rows.map((row) => row.length))).toBe(80);
    expect([...drawn.matchAll(/\u001b\[([\d;]*)m/g)].every(([, codes]) => /^(0|7|1;7)$/.test(codes ?? ""))).toBe(true);
  });
});

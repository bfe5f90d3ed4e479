import { describe, expect, it } from "vitest";
import { CommandError } from "../../errors.ts";
import { fakeServer } from "../../testing/fake-server.ts";
import { unitSample, usageSample } from "../../testing/usage-samples.ts";

const { run, answerAll, requests } = fakeServer();

const telling = (...samples: unknown[]): void =>
  answerAll((_method, path) =>
    path.startsWith("/machines")
      ? { body: { machines: [{ id: "1".repeat(32), hostname: "h1", primaryIP: "", metadata: {} }] } }
      : {
          stream: (response) => {
            response.writeHead(200, { "content-type": "text/event-stream", server: "fleetd/2.0.0" });
            for (const sample of samples) response.write(`event: sample\ndata: ${JSON.stringify(sample)}\n\n`);
            response.end();
          },
        },
  );

describe("top", () => {
  it("prints a table once where there is no terminal, of the units that are asked for", async () => {
    const units = (cpuMs: number) => [unitSample("web@1.service", { cpuMs }), unitSample("db.service")];
    telling(usageSample({ units: units(0) }), usageSample({ monotonicMs: 2000, cpuBusyMs: 200, units: units(250) }));
    const { code, stdout, stderr } = await run(["top", "web@*"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^MACHINE .*CPU%.*\nh1 +10\.0 +2 +0\.50 +1\.0G +4\.0G .* 2 +0\n/);
    expect(stdout).toMatch(/\nUNIT .*\nweb@1\.service +h1 +running +25\.0 +1\.0M +1 +-\n$/);
    expect(requests()).toEqual(["GET /usage?interval=400&count=2"]);
  });
  it.each([
    ["db", "db.service"],
    ["web@", "web@1.service"],
    ["web@1", "web@1.service"],
    ["a\\x2db.service", "a\\x2db.service"],
  ])("shows of what is typed as %s the unit %s", async (typed, shown) => {
    const names = ["db.service", "web@1.service", "a\\x2db.service"];
    telling(usageSample({ units: names.map((name) => unitSample(name)) }));
    const { units } = JSON.parse((await run(["top", "-o", "json", typed])).stdout) as { units: { name: string }[] };
    expect(units.map(({ name }) => name)).toEqual([shown]);
  });
  it("prints every figure as JSON, of the machine that is named", async () => {
    telling(usageSample({ units: [unitSample("a.service")] }));
    const { stdout } = await run(["top", "-o", "json", "--machine", "h1"]);
    expect(JSON.parse(stdout)).toMatchObject({
      machines: [{ id: "1".repeat(32), cpu: null, memory: 1024 ** 3 }],
      units: [{ name: "a.service", memory: 1024 ** 2 }],
    });
    expect(requests().at(-1)).toBe(`GET /usage?interval=400&count=2&machine=${"1".repeat(32)}`);
  });
  it("ends with an error where no machine answers, and says why of each", async () => {
    telling({ machineID: "1".repeat(32), hostname: "h1", error: "it does not answer" });
    expect(await run(["top", "--once"])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("h1  it does not answer"),
    });
    telling({ machineID: "1".repeat(32) });
    expect((await run(["top", "--once"])).stdout).toContain("its agent sent too few figures");
  });
  /** A cluster of the machine that fleetctl runs on, whose API can't ask it. */
  const withoutLink = (status: number): void => {
    const id = "1".repeat(32);
    answerAll((_method, path) => {
      if (path.startsWith("/usage")) return { status, body: { error: { code: status, message: "no" } } };
      if (path.startsWith("/state")) return { body: { states: [{ name: "a.service", machineID: id, hash: "" }] } };
      return { body: { machines: [{ id, hostname: "h1", primaryIP: "192.0.2.1", metadata: {} }] } };
    });
  };
  it.each([
    [404, []],
    [501, []],
    [503, []],
    [200, ["--ssh"]],
  ])("asks the machines themselves where the server answers %i, with %j", async (status, flags) => {
    withoutLink(status);
    const commands: (readonly string[])[] = [];
    const { code, stdout } = await run(["top", ...flags], {
      localMachineID: "1".repeat(32),
      async *lines(command) {
        commands.push(command);
        for (const [uptime, cpu] of [
          ["100.00", 0],
          ["101.00", 50],
        ]) {
          yield* ["/proc/loadavg:0.50 0 0 1/1 1", `/proc/uptime:${uptime} 0`, "/proc/meminfo:MemTotal: 1048576 kB"];
          yield* [`/proc/stat:cpu  ${cpu} 0 0 0 0 0 0 0`, "Id=a.service", "ActiveState=active", "SubState=running"];
          yield* [`CPUUsageNSec=${cpu}0000000`, "MemoryCurrent=1048576", "TasksCurrent=3", "--"];
        }
      },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nh1 +50\.0 +1 +0\.50 +1\.0G +1\.0G /);
    expect(stdout).toMatch(/\na\.service +h1 +running +50\.0 +1\.0M +3 +-\n$/);
    expect(commands.map((command) => command.slice(-3))).toEqual([["2", "0.4", "a.service"]]);
  });
  it("says of each machine that can't be asked why, and ends with an error where none can", async () => {
    withoutLink(501);
    const { code, stdout, stderr } = await run(["top"], {
      localMachineID: "1".repeat(32),
      async *lines() {
        yield "/proc/loadavg:0.50 0 0 1/1 1";
        throw new CommandError("sh ended with 127");
      },
    });
    expect({ code, shown: stdout.split("\n")[1] }).toEqual({ code: 1, shown: "h1  sh ended with 127" });
    expect(stderr).toBe(
      "The API has no link to its machines, and SSH failed: set link_listen in the fleet.conf of the API, or set up SSH as in docs/fleetctl.md.\n",
    );
  });
  it.each([
    [["--sort", "x"], 'invalid --sort "x": expected one of cpu, memory, tasks, io, name'],
    [["--delay", "0"], 'invalid --delay "0": expected seconds, 0.5 to 60'],
    [["-o", "xml"], 'invalid --output "xml"'],
  ])("refuses %j", async (flags, message) => {
    expect((await run(["top", ...flags])).stderr).toContain(message);
  });
});

import { describe, expect, it } from "vitest";
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
    expect((await run(["top", "--once"])).stdout).toContain("its agent told too little");
  });
  it.each([404, 501])("says what it needs where the server answers %i", async (status) => {
    answerAll(() => ({ status, body: { error: { code: status, message: "no" } } }));
    const { code, stderr } = await run(["top"]);
    expect(code).toBe(1);
    expect(stderr).toContain("set link_listen in the fleet.conf of the API");
  });
  it.each([
    [["--sort", "x"], 'invalid --sort "x": expected one of cpu, memory, tasks, io, name'],
    [["--delay", "0"], 'invalid --delay "0": expected seconds, 0.5 to 60'],
    [["-o", "xml"], 'invalid --output "xml"'],
  ])("refuses %j", async (flags, message) => {
    expect((await run(["top", ...flags])).stderr).toContain(message);
  });
});

import { beforeEach, describe, expect, it } from "vitest";
import { fakeServer } from "../testing/fake-server.ts";
import { clusterOf, HASH, id, options, state, unit } from "../testing/one-unit.ts";

const { run, answerWith } = fakeServer();

describe("--output json", () => {
  beforeEach(() => answerWith(clusterOf([state], [unit])));
  it.each([
    [
      ["list-machines"],
      [
        {
          machine: id,
          ip: "192.0.2.9",
          hostname: null,
          version: null,
          metadata: { a: "1" },
          state: "ready",
          since: null,
        },
      ],
    ],
    [
      ["list-units"],
      [
        {
          unit: "a.service",
          machine: id,
          load: "loaded",
          active: "active",
          sub: "running",
          hash: HASH,
          error: null,
          run: null,
        },
      ],
    ],
    [
      ["list-unit-files"],
      [
        {
          unit: "a.service",
          hash: expect.any(String),
          dstate: "launched",
          state: "launched",
          target: id,
          global: false,
          desc: null,
        },
      ],
    ],
    [["cat", "a"], { unit: "a.service", hash: expect.any(String), options, text: "[Service]\nExecStart=/bin/a\n" }],
    [
      ["status", "a"],
      [
        {
          unit: "a.service",
          desiredState: "launched",
          currentState: "launched",
          machineID: id,
          global: false,
          states: [expect.anything()],
        },
      ],
    ],
  ])("%j", async (args, expected) => {
    const { code, stdout } = await run([...args, "--output", "json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(expected);
  });
  it("a field of old goes on working, with a warning", async () => {
    const { stdout, stderr } = await run(["list-unit-files", "--fields=tmachine", "--no-legend"]);
    expect([stdout, stderr]).toEqual([
      "113f16a7.../192.0.2.9\n",
      "WARNING: The field tmachine is deprecated: use target.\n",
    ]);
  });
  it("is refused in any other format", async () => {
    expect((await run(["list-units", "--output=yaml"])).stderr).toBe(
      'Error: invalid --output "yaml": expected text or json\n',
    );
  });
});

describe("list-units", () => {
  const pending = { ...unit, name: "b.service", machineID: undefined, currentState: "inactive" };
  beforeEach(() => answerWith(clusterOf([state, { ...state, name: "c.service" }], [unit, pending])));
  it("tells on standard error how many units wait for a machine, where there is a header", async () => {
    const { stdout, stderr } = await run(["list-units"]);
    expect(stdout).not.toContain("b.service");
    expect(stderr).toBe('1 unit is pending: see "fleetctl list-units --all" and "fleetctl explain UNIT".\n');
    expect((await run(["list-units", "--no-legend"])).stderr).toBe("");
    expect((await run(["list-units", "--output=json"])).stderr).toBe("");
  });
  it.each([
    [["--all"], ["a.service", "c.service", "b.service"]],
    [["--state=pending"], ["b.service"]],
    [
      ["--state=active", "--state=failed"],
      ["a.service", "c.service"],
    ],
    [["c"], ["c.service"]],
    [
      ["--all", "[bc].*"],
      ["c.service", "b.service"],
    ],
    [["--machine=192.0.2.9", "a"], ["a.service"]],
  ])("%j shows %j", async (args, names) => {
    const { stdout } = await run(["list-units", "--no-legend", "--fields=unit", ...args]);
    expect(stdout.trimEnd().split("\n")).toEqual(names);
  });
  it("shows a unit that waits as pending, on no machine", async () => {
    expect((await run(["list-units", "--no-legend", "--state=pending"])).stdout).toBe("b.service\t-\t-\tpending\n");
  });
  it("names a machine that is not there", async () => {
    expect(await run(["list-units", "--machine=none"])).toMatchObject({
      code: 1,
      stderr: "Error: Machine none does not exist.\n",
    });
  });
});

describe("colours", () => {
  beforeEach(() => answerWith(clusterOf([state, { ...state, name: "b.service", systemdActiveState: "failed" }], [])));
  it("are there on a terminal that has them, and nowhere else", async () => {
    const plain = (await run(["list-units"])).stdout;
    expect(plain).not.toContain("\u001b");
    const colored = (await run(["list-units"], { terminal: { hasColors: true } })).stdout;
    expect(colored).toContain("\u001b[32mactive\u001b[0m");
    expect(colored).toContain("\u001b[31mfailed\u001b[0m");
    expect(colored.replace(/\u001b\[\d+m/g, "")).toBe(plain);
    expect((await run(["list-units"], { terminal: { hasColors: false } })).stdout).toBe(plain);
  });
});

describe("lists", () => {
  const id = "113f16a7aaaaaaaaaaaaaaaaaaaaaaaa";
  beforeEach(() => {
    const options = [
      { section: "Unit", name: "Description", value: "A b" },
      { section: "Service", name: "ExecStart", value: "/bin/a" },
    ];
    answerWith((_method, path) => {
      if (path.startsWith("/machines"))
        return { body: { machines: [{ id, primaryIP: "172.17.8.103", metadata: { z: "1", a: "2" } }] } };
      if (path.startsWith("/units?"))
        return {
          body: {
            units: [
              {
                name: "g.service",
                options: [...options, { section: "X-Fleet", name: "Global", value: "true" }],
                desiredState: "launched",
              },
            ],
          },
        };
      if (path.startsWith("/units"))
        return {
          body: {
            units: [{ name: "a.service", options, desiredState: "launched", currentState: "launched", machineID: id }],
            nextPageToken: "t",
          },
        };
      return {
        body: {
          states: [
            {
              name: "a.service",
              hash: "0123456789",
              machineID: id,
              systemdLoadState: "loaded",
              systemdActiveState: "active",
              systemdSubState: "running",
            },
          ],
        },
      };
    });
  });
  it("show every field, shortened or in full, over all pages", async () => {
    expect(
      (await run(["list-units", "--fields=unit,machine,load,active,sub,hash", "--no-legend"])).stdout.split(/\t+/),
    ).toEqual(["a.service", "113f16a7.../172.17.8.103", "loaded", "active", "running", "0123456\n"]);
    expect((await run(["list-units", "-l", "--fields=machine,hash", "--no-legend"])).stdout).toBe(
      `${id}/172.17.8.103\t0123456789\n`,
    );
    expect((await run(["list-machines"])).stdout).toBe(
      "MACHINE\t\tIP\t\tMETADATA\n113f16a7...\t172.17.8.103\ta=2,z=1\n",
    );
    const files = (
      await run(["list-unit-files", "--fields=unit,dstate,state,target,global,desc", "--no-legend"])
    ).stdout.split("\n");
    expect(files[0]?.split(/\t+/)).toEqual([
      "a.service",
      "launched",
      "launched",
      "113f16a7.../172.17.8.103",
      "false",
      "A b",
    ]);
    expect(files[1]?.split(/\t+/)).toEqual(["g.service", "launched", "-", "global", "true", "A b"]);
  });
  it("refuse an unknown field", async () => {
    for (const list of ["list-units", "list-unit-files", "list-machines"]) {
      expect(await run([list, "--fields=unit,constructor"])).toMatchObject({ code: 1 });
    }
    expect((await run(["list-units", "--fields=x"])).stderr).toBe(
      'Error: Invalid key in output format: "x": expected some of unit, machine, hostname, load, active, sub, hash\n',
    );
  });
});

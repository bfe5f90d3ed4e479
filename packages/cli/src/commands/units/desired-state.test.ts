import { hashUnitFile } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import { changingCluster, type Holding } from "../../testing/changing-cluster.ts";
import { fakeServer } from "../../testing/fake-server.ts";
import { clusterOf, GLOBAL, id, state, unit } from "../../testing/one-unit.ts";

const { run, requests, answerWith } = fakeServer();

const puts = (): readonly string[] =>
  requests().flatMap((entry) => (entry.startsWith("PUT") ? [JSON.parse(entry.split(" ")[2] ?? "").desiredState] : []));
const other = "22222222bbbbbbbbbbbbbbbbbbbbbbbb";
const machines = [
  { id, primaryIP: "192.0.2.9", hostname: "node1" },
  { id: other, primaryIP: "192.0.2.10", hostname: "node2" },
];

describe("--no-block", () => {
  it.each([
    ["load", "inactive"],
    ["start", "loaded"],
    ["stop", "launched"],
    ["unload", "launched"],
  ])("%s prints what it has triggered", async (command, desiredState) => {
    answerWith(clusterOf([], [{ ...unit, desiredState }]));
    expect((await run([command, "--no-block", "a"])).stdout).toBe(`Triggered unit a.service ${command}\n`);
  });
  it.each([
    ["load", "loaded"],
    ["start", "launched"],
    ["unload", "inactive"],
  ])("%s prints nothing of what is set to its state already", async (command, desiredState) => {
    answerWith(clusterOf([], [{ ...unit, desiredState, currentState: desiredState }]));
    expect((await run([command, "--no-block", "a"])).stdout).toBe("");
  });
});

describe("a unit that is set to a state already", () => {
  /** Its agent does at once what it is told. */
  const obeying = (active: string, desiredState: string) =>
    changingCluster(
      {
        units: [{ ...unit, desiredState, currentState: desiredState }],
        states: [{ ...state, systemdActiveState: active, systemdSubState: "-" }],
      },
      (_before, _name, wanted): Holding => ({
        units: [{ ...unit, desiredState: wanted, currentState: wanted }],
        states: [{ ...state, systemdActiveState: wanted === "launched" ? "active" : "inactive" }],
      }),
    ).answer;

  it.each(["failed", "inactive"])("is started anew where systemd says that it is %s", async (active) => {
    answerWith(obeying(active, "launched"));
    expect(await run(["start", "a"])).toMatchObject({ code: 0, stdout: "Unit a.service launched on 113f16a7...\n" });
    expect(puts()).toEqual(["loaded", "launched"]);
  });
  it("is left alone by start where systemd says that it is up, and not told of", async () => {
    answerWith(obeying("active", "launched"));
    expect(await run(["start", "a"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(puts()).toEqual([]);
  });
  it("is stopped where systemd says that it runs", async () => {
    answerWith(obeying("active", "loaded"));
    expect(await run(["stop", "a"])).toMatchObject({ code: 0, stderr: "Successfully stopped units [a.service].\n" });
    expect(puts()).toEqual(["launched", "loaded"]);
  });
  it("is left alone by stop where nothing of it runs", async () => {
    answerWith(obeying("inactive", "loaded"));
    expect(await run(["stop", "a"])).toEqual({ code: 0, stdout: "", stderr: "Successfully stopped units [].\n" });
    expect(puts()).toEqual([]);
  });
});

describe("a new version of a unit that is launched", () => {
  it("is told of as the old fleetctl did", async () => {
    const files = { "a.service": "[Service]\nExecStart=/bin/new\n" };
    const replaced = [{ section: "Service", name: "ExecStart", value: "/bin/new" }];
    const next: Holding = {
      units: [{ ...unit, options: replaced }],
      states: [{ ...state, hash: hashUnitFile(replaced) }],
    };
    answerWith(changingCluster({ units: [unit], states: [state] }, () => next).answer);
    expect(await run(["start", "--replace", "a.service"], { files })).toEqual({
      code: 0,
      stdout: "Unit a.service inactive\nUnit a.service launched on 113f16a7...\n",
      stderr: "",
    });
  });
});

describe("a unit whose program ends at once", () => {
  it("has failed, though systemd called it active for a moment", async () => {
    const failed = { ...state, systemdActiveState: "failed", systemdResult: "exit-code", exitStatus: 1 };
    let looks = 0;
    const cluster = changingCluster({ units: [{ ...unit, desiredState: "loaded" }], states: [] }, () => ({
      units: [unit],
      states: [],
    }));
    answerWith((method, path, body) =>
      path.startsWith("/state")
        ? { body: { states: [looks++ < 2 ? state : failed] } }
        : cluster.answer(method, path, body),
    );
    expect(await run(["start", "a"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Error: unit a.service failed: exit status 1 (exit-code)"),
    });
  });
});

describe("load of a unit that is launched", () => {
  it("says that it stops it", async () => {
    answerWith(clusterOf([state], [unit]));
    expect((await run(["load", "--no-block", "a"])).stderr).toBe(
      "WARNING: Unit a.service is launched: load stops it.\n",
    );
  });
});

describe("stop of a unit that waits for a machine", () => {
  it("ends, since nothing of it runs", async () => {
    const waiting = { ...unit, machineID: undefined, currentState: "inactive" };
    const cluster = changingCluster({ units: [waiting], states: [] }, (_before, _name, desiredState) => ({
      units: [{ ...waiting, desiredState }],
      states: [],
    }));
    answerWith(cluster.answer);
    expect(await run(["stop", "a"])).toMatchObject({ code: 0, stderr: "Successfully stopped units [a.service].\n" });
  });
});

describe("a unit that fails", () => {
  it("ends start with systemd's reason", async () => {
    const failed = { ...state, systemdActiveState: "failed", systemdResult: "exit-code", exitStatus: 3 };
    answerWith(
      changingCluster({ units: [{ ...unit, desiredState: "loaded" }], states: [failed] }, (before) => before).answer,
    );
    expect(await run(["start", "a"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Error: unit a.service failed: exit status 3 (exit-code)"),
    });
  });
  it("ends start in a crash loop, with the number of restarts", async () => {
    const looping = {
      ...state,
      ...{ systemdActiveState: "activating", systemdSubState: "auto-restart" },
      ...{ systemdResult: "signal", exitSignal: "SIGSEGV", restarts: 9 },
    };
    answerWith(changingCluster({ units: [unit], states: [looping] }, (before) => before).answer);
    expect(await run(["start", "a"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("keeps failing: killed by SIGSEGV (signal), after 9 restarts"),
    });
  });
});

describe("a global unit", () => {
  const copy = (machineID: string, active: string, more: object = {}) => ({
    ...{ ...state, name: GLOBAL.name, machineID, hash: GLOBAL.hash, systemdActiveState: active },
    ...{ systemdSubState: "-", currentState: "launched", ...more },
  });
  const global = { name: GLOBAL.name, options: GLOBAL.options, desiredState: "loaded" };
  const placement = { name: GLOBAL.name, desiredState: "launched", global: true, machines: 2, fitting: 2, reasons: [] };
  const from = (before: string, ...states: object[]) =>
    changingCluster(
      { units: [{ ...global, desiredState: before }], states: [], machines },
      (_before, _name, desiredState) => ({
        units: [{ ...global, desiredState }],
        states: states as Record<string, unknown>[],
        machines,
        placements: { [GLOBAL.name]: placement },
      }),
    );

  it("is started when it is up on every machine that fits", async () => {
    answerWith(from("loaded", copy(id, "active"), copy(other, "active")).answer);
    expect(await run(["start", "g"])).toEqual({
      code: 0,
      stdout: "Triggered global unit g.service start\n",
      stderr: "",
    });
  });
  it.each([
    ["start", "launched", "failed", "active", ["loaded", "launched"]],
    ["start", "launched", "inactive", "active", ["loaded", "launched"]],
    ["stop", "loaded", "active", "inactive", ["launched", "loaded"]],
  ])("of which all copies are contrary to %s is told again", async (command, set, is, becomes, told) => {
    const copies = (active: string, currentState: string) =>
      [id, other].map((machine) => copy(machine, active, { currentState }));
    answerWith(
      changingCluster(
        { units: [{ ...global, desiredState: set }], states: copies(is, set), machines },
        (_before, _name, wanted) => ({
          units: [{ ...global, desiredState: wanted }],
          states: copies(wanted === set ? becomes : is, wanted),
          machines,
          placements: { [GLOBAL.name]: placement },
        }),
      ).answer,
    );
    expect(await run([command, "g"])).toMatchObject({
      code: 0,
      stdout: `Triggered global unit g.service ${command}\n`,
    });
    expect(puts()).toEqual(told);
  });
  it.each([
    ["start", "launched", "inactive", "active", "restart", "is down on node1, and up elsewhere"],
    ["stop", "loaded", "active", "inactive", "unload", "runs on node1, and is stopped elsewhere"],
  ])("of which one copy is contrary to %s is left, and how to mend it is said", async (...row) => {
    const [command, set, is, others, hint, where] = row;
    const states = [copy(id, is, { currentState: set }), copy(other, others, { currentState: set })];
    answerWith(
      changingCluster({ units: [{ ...global, desiredState: set }], states, machines }, (before) => before).answer,
    );
    const { code, stderr } = await run([command, "--no-block", "g"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^Error: global unit g\\.service ${where}: "fleetctl ${hint} g\\.service"`));
    expect(puts()).toEqual([]);
  });
  it("has no state of its own, whatever an old server tells", async () => {
    const cluster = from("loaded", copy(id, "active"), copy(other, "active"));
    answerWith((method, path, body) => {
      const said = cluster.answer(method, path, body);
      const told = said.body as { name?: string } | undefined;
      return told?.name === GLOBAL.name && !path.endsWith("/placement")
        ? { body: { ...told, currentState: "inactive" } }
        : said;
    });
    expect(await run(["start", "g"])).toMatchObject({ code: 0, stdout: "Triggered global unit g.service start\n" });
  });
  it("that is down somewhere ends start with where and why, and exit code 1", async () => {
    const down = copy(other, "failed", { systemdResult: "exit-code", exitStatus: 1 });
    answerWith(from("loaded", copy(id, "active"), down).answer);
    expect(await run(["start", "g"])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Error: unit g\.service on node2: failed: exit status 1 \(exit-code\)/),
    });
  });
  it("is waited for where a machine that fits has no copy yet", async () => {
    const cluster = from("loaded", copy(id, "active"));
    answerWith(cluster.answer);
    const late = run(["start", "--block-attempts=1", "g"]);
    expect(await late).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("g.service runs on 1 of 2 machines"),
    });
  });
  it("is stopped when no copy deactivates any more", async () => {
    const told = { currentState: "loaded" };
    const cluster = from("launched", copy(id, "inactive", told), copy(other, "deactivating", told));
    answerWith(cluster.answer);
    const first = await run(["stop", "--block-attempts=1", "g"]);
    expect(first).toMatchObject({ code: 1, stderr: expect.stringContaining("deactivating (-) on node2") });
  });
  it("is never waited for with --no-block", async () => {
    answerWith(from("loaded", copy(id, "failed")).answer);
    expect(await run(["start", "--no-block", "g"])).toEqual({
      code: 0,
      stdout: "Triggered global unit g.service start\n",
      stderr: "",
    });
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Keys } from "../cluster/keys.ts";
import { encodeCordon, encodeMachine, encodeUnit } from "../cluster/records.ts";
import { ClusterState } from "../cluster/state.ts";
import { hashText, parseUnitFile } from "../unit/file.ts";
import { NOWHERE, type Whereabouts } from "../whereabouts/whereabouts.ts";
import { explainIn, explainPlacement, explainVersion, lookAt, reasonsAgainst } from "./explain.ts";
import { ModelFeed } from "./model-feed.ts";
import { unfitText } from "./rules.ts";
import { run } from "./testing/clusters.ts";

const keys = new Keys("/f/");
const MACHINES = ["m1", "m2", "m3"];
const NAMES = ["a@1", "a@2", "b", "c"].map((name) => `${name}.service`);
const LINES = [
  ...["", "MachineID=m1", "MachineMetadata=a=1", "MachineMetadata=n>=5", "Conflicts=a@*", "Conflicts=b* c*"],
  ...["MachineOf=c.service", "MachineOf=b.service", "Replaces=c.service", "Replaces=a@*"],
];
const on = fc.constantFrom(...MACHINES);
const whereabouts: fc.Arbitrary<Whereabouts> = fc.oneof(
  fc.constant(NOWHERE),
  on.map((id) => ({ kind: "placed" as const, on: id })),
  fc.record({ kind: fc.constant("moving" as const), on, to: on }).filter(({ on: id, to }) => id !== to),
);
const cluster = fc.record({
  units: fc.tuple(...NAMES.map(() => fc.record({ lines: fc.constantFrom(...LINES), whereabouts }))),
  machines: fc.tuple(
    ...MACHINES.map(() =>
      fc.record({
        metadata: fc.constantFrom<Record<string, string>>({}, { a: "1" }, { n: "7" }, { a: "2", n: "x" }),
        isCordoned: fc.constantFrom(false, false, true),
      }),
    ),
  ),
});

it("a unit that waits for the record of another one to be readable says so", () => {
  const state = new ClusterState(keys);
  const put = (key: string, value: string): unknown => state.put({ key, value, createRevision: 1, modRevision: 1 });
  const rest = { primaryIP: "", metadata: {}, version: "", capabilities: [], instanceID: "" };
  put(keys.machine("m1"), encodeMachine({ id: "m1", ...rest }));
  put(keys.unitFile("h"), "[X-Fleet]\nMachineOf=w.service\n");
  put(keys.unit("a.service"), '{"hash":"h","desiredState":"launched"}');
  put(keys.unit("w.service"), '{"hash":"w","desiredState":"paused"}');
  expect(run(explainPlacement(state, "a.service"))?.reasons).toEqual([
    { reason: "the record of w.service, on which it depends, can't be read", machines: 1, examples: ["m1"] },
  ]);
});

it("what is explained is what the engine goes by, machine by machine, on random clusters", () => {
  fc.assert(
    fc.property(cluster, ({ units, machines }) => {
      const state = new ClusterState(keys);
      let revision = 0;
      const put = (key: string, value: string): void => {
        revision++;
        state.put({ key, value, createRevision: revision, modRevision: revision });
      };
      for (const [index, { metadata, isCordoned }] of machines.entries()) {
        const id = MACHINES[index] ?? "";
        const rest = { primaryIP: "", version: "", capabilities: [], instanceID: "" };
        put(keys.machine(id), encodeMachine({ id, metadata, ...rest }));
        if (isCordoned) put(keys.cordon(id), encodeCordon({ drain: false, since: "" }));
      }
      for (const [index, { lines, whereabouts: where }] of units.entries()) {
        const text = `[Service]\nExecStart=/bin/a\n[X-Fleet]\n${lines}\n`;
        const hash = hashText(text);
        put(keys.unitFile(hash), text);
        const record = { hash, desiredState: "launched", global: false, whereabouts: where, cause: null } as const;
        put(keys.unit(NAMES[index] ?? ""), encodeUnit(record));
      }
      const feed = new ModelFeed(state);
      run(feed.load());
      for (const name of NAMES) {
        const unit = feed.model.units.get(name);
        if (unit === undefined) throw new Error(`the model does not know ${name}`);
        const unfit = MACHINES.map((id) => feed.model.unfit(unit, id));
        const placement = run(explainPlacement(state, name));
        expect(placement?.fitting).toBe(unfit.filter((reason) => reason === null).length);
        const said = new Map(placement?.reasons.map(({ reason, machines: count }) => [reason, count]));
        const counted = new Map<string, number>();
        for (const reason of unfit)
          if (reason !== null) counted.set(unfitText(reason), (counted.get(unfitText(reason)) ?? 0) + 1);
        expect(said).toEqual(counted);
      }
    }),
    { numRuns: 1_000 },
  );
});

/** The text of a unit's file with these lines for fleet. */
const fileOf = (lines: string): string => `[Service]\nExecStart=/bin/a\n[X-Fleet]\n${lines}\n`;
const LEADER = { [keys.leader()]: { machineID: "m1", version: 2, startedAt: "" } };
const machines = (...ids: readonly string[]) =>
  Object.fromEntries(ids.map((id) => [keys.machine(id), { id, metadata: id === "m1" ? { a: "1" } : {} }]));
const unit = (name: string, lines = "", more: object = {}) => ({
  [keys.unitFile(hashText(fileOf(lines)))]: fileOf(lines),
  [keys.unit(name)]: { hash: hashText(fileOf(lines)), desiredState: "launched", ...more },
});
const globalUnit = (name: string, lines = "", more: object = {}) => ({
  ...unit(name, `Global=true\n${lines}`, { global: true, ...more }),
  [keys.global(name)]: { hash: hashText(fileOf(`Global=true\n${lines}`)), desiredState: "launched" },
});
const report = (id: string, name: string, more: object = {}) => ({
  [keys.state(id, name)]: { hash: "h", current: "launched", load: "loaded", active: "active", sub: "running", ...more },
});

function explained(values: Readonly<Record<string, object | string>>, name = "a.service") {
  return run(explainPlacement(stateOf(values), name));
}

function stateOf(values: Readonly<Record<string, object | string>>): ClusterState {
  const state = new ClusterState(keys);
  let revision = 0;
  for (const [key, value] of Object.entries(values)) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    state.put({ key, value: text, createRevision: ++revision, modRevision: revision });
  }
  return state;
}

describe("the summary of where a unit is says", () => {
  const FAILED = { active: "failed", sub: "failed" };
  it.each<[what: string, values: Readonly<Record<string, object | string>>, summary: string]>([
    [
      "that its file can't be read",
      { [keys.unit("a.service")]: { hash: "none", desiredState: "launched" }, ...machines("m1") },
      "its file can't be read: destroy it and submit it again",
    ],
    [
      "that it is wanted nowhere",
      { ...machines("m1"), ...unit("a.service", "", { desiredState: "inactive" }) },
      "not wanted on any machine: its desired state is inactive",
    ],
    ["where it is", { ...machines("m1"), ...unit("a.service", "", { machineID: "m1" }) }, "on machine m1"],
    [
      "why it is there",
      { ...machines("m1"), ...unit("a.service", "", { machineID: "m1", cause: "it fits" }) },
      "on machine m1: it fits",
    ],
    [
      "what its agent could not do there",
      {
        ...machines("m1"),
        ...unit("a.service", "", { machineID: "m1" }),
        ...report("m1", "a.service", { error: "no such file" }),
      },
      "error on m1: no such file (fleetctl status a.service shows more)",
    ],
    [
      "that it has failed there",
      { ...machines("m1"), ...unit("a.service", "", { machineID: "m1" }), ...report("m1", "a.service", FAILED) },
      "failed on m1 (fleetctl status a.service shows more)",
    ],
    [
      "nothing of what another machine says",
      {
        ...machines("m1", "m2"),
        ...unit("a.service", "", { machineID: "m1" }),
        ...report("m1", "a.service"),
        ...report("m2", "a.service", FAILED),
      },
      "on machine m1",
    ],
    [
      "that its machine is gone, and nobody leads",
      { ...machines("m1"), ...unit("a.service", "", { machineID: "m9" }) },
      "on machine m9, which is gone; no engine leads that could move it",
    ],
    [
      "that its machine is gone, and an engine leads",
      { ...machines("m1"), ...LEADER, ...unit("a.service", "", { machineID: "m9" }) },
      "on machine m9, which is gone; the engine is about to move it",
    ],
    [
      "that it stays on a machine that disappeared while etcd was unreachable, and until when",
      {
        ...{ ...machines("m1"), ...LEADER, ...unit("a.service", "", { machineID: "m9" }) },
        [keys.knownMachine("m9")]: { primaryIP: "", heldUntil: "2026-11-26T05:00:00.000Z" },
      },
      "on machine m9, which disappeared while etcd was unreachable, and may still be running: it stays there until 2026-11-26T05:00:00.000Z",
    ],
    [
      "that its machine no longer fits",
      { ...machines("m1", "m2"), ...LEADER, ...unit("a.service", "MachineMetadata=a=1", { machineID: "m2" }) },
      "on machine m2, which no longer fits: its metadata lacks a=1; the engine is about to move it",
    ],
    [
      "that it waits for its machine to let go, and why",
      { ...machines("m1"), ...unit("a.service", "", { leaving: "m1", cause: "it is drained" }) },
      "pending until machine m1 has stopped it: it is drained",
    ],
    [
      "that it waits for its machine to let go",
      { ...machines("m1"), ...unit("a.service", "", { leaving: "m1" }) },
      "pending until machine m1 has stopped it: it is being moved",
    ],
    ["that there is no machine", unit("a.service"), "pending: there is no machine"],
    [
      "that it fits nowhere",
      { ...machines("m2", "m3"), ...unit("a.service", "MachineMetadata=a=1") },
      "pending: none of 2 machines fits",
    ],
    [
      "that nobody leads",
      { ...machines("m1", "m2"), ...unit("a.service", "MachineMetadata=a=1") },
      "pending: 1 of 2 machines fits, but no engine leads",
    ],
    [
      "that it is about to be placed",
      { ...machines("m1", "m2"), ...LEADER, ...unit("a.service", "MachineMetadata=a=1") },
      "pending: 1 of 2 machines fits; it is about to be placed",
    ],
    [
      "how it fails there, with the machine's host name",
      {
        [keys.machine("m1")]: { id: "m1", hostname: "h3" },
        ...unit("a.service", "", { machineID: "m1" }),
        ...report("m1", "a.service", { ...FAILED, result: "exit-code", exitStatus: 3 }),
      },
      "failed on h3: exit status 3 (exit-code) (fleetctl status a.service shows more)",
    ],
    [
      "that it is in a crash loop",
      {
        ...machines("m1"),
        ...unit("a.service", "", { machineID: "m1" }),
        ...report("m1", "a.service", {
          active: "activating",
          sub: "auto-restart",
          result: "signal",
          exitSignal: "SIGKILL",
          restarts: 12,
        }),
      },
      "keeps failing on m1: killed by SIGKILL (signal), after 12 restarts (fleetctl status a.service shows more)",
    ],
    [
      "that its machine's record can't be read",
      { [keys.machine("m1")]: "?", ...machines("m2"), ...LEADER, ...unit("a.service", "", { machineID: "m1" }) },
      "on machine m1, whose record this version can't read: it stays there",
    ],
    [
      "that it has ended",
      { ...machines("m1"), ...unit("a.service", "", { machineID: "m1", ended: true }) },
      "on machine m1, loaded only: it has ended, and Rerun=true is not set",
    ],
    [
      "of a leader whose record can't be read that it leads",
      { ...machines("m1", "m2"), [keys.leader()]: "?", ...unit("a.service", "MachineMetadata=a=1") },
      "pending: 1 of 2 machines fits; it is about to be placed",
    ],
    [
      "of a global unit where it is down, as far as that is short",
      {
        ...machines("m1", "m2", "m3", "m4", "m5"),
        ...globalUnit("a.service"),
        ...Object.fromEntries(
          ["m1", "m2", "m3", "m4", "m5"].flatMap((id) => Object.entries(report(id, "a.service", FAILED))),
        ),
      },
      "global: wanted on 5 of 5 machines, and down on 5: failed on m1; failed on m2; failed on m3; 2 more (fleetctl status a.service shows more)",
    ],
    [
      "of a global unit on how many machines it runs",
      { ...machines("m1", "m2"), ...globalUnit("a.service", "MachineMetadata=a=1") },
      "global: wanted on 1 of 2 machines",
    ],
    [
      "of a global unit what is wrong with it, of which there is more",
      {
        ...machines("m1", "m2", "m3"),
        ...globalUnit("a.service"),
        ...report("m1", "a.service"),
        ...report("m2", "a.service", { error: "no such file" }),
        ...report("m3", "a.service", FAILED),
      },
      "global: wanted on 3 of 3 machines, and down on 2: error on m2: no such file; failed on m3 (fleetctl status a.service shows more)",
    ],
  ])("%s", (_what, values, summary) => expect(explained(values)?.summary).toBe(summary));
  it("of a template that it is one", () => {
    expect(explained({ ...machines("m1"), ...unit("a@.service") }, "a@.service")?.summary).toBe(
      "a template: start an instance of it",
    );
  });
});

describe("what is explained", () => {
  it("has where the unit is, and on how many machines it may be", () => {
    expect(
      explained({ ...machines("m1", "m2"), ...unit("a.service", "MachineMetadata=a=1", { machineID: "m1" }) }),
    ).toEqual({
      ...{ name: "a.service", desiredState: "launched", machineID: "m1", global: false, machines: 2, fitting: 1 },
      summary: "on machine m1",
      reasons: [{ reason: "its metadata lacks a=1", machines: 1, examples: ["m2"] }],
    });
  });
  it("has no machine where the unit is nowhere", () => {
    expect(explained({ ...machines("m1"), ...unit("a.service") })).not.toHaveProperty("machineID");
  });
  it("is null where there is no such unit", () => expect(explained(machines("m1"))).toBeNull());
  it("has why a global unit does not run on a machine", () => {
    const values = {
      ...machines("m1", "m2"),
      ...globalUnit("a.service", "MachineMetadata=a=1\nConflicts=b*"),
      ...unit("b.service", "", { machineID: "m1" }),
    };
    expect(explained(values)).toMatchObject({
      fitting: 0,
      reasons: [
        { reason: "it conflicts with a unit there", examples: ["m1"] },
        { reason: "its metadata is not what MachineMetadata asks for", examples: ["m2"] },
      ],
    });
    expect(
      explained({ ...machines("m1"), ...globalUnit("a.service", "", { desiredState: "inactive" }) })?.reasons,
    ).toEqual([{ reason: "its desired state is inactive", machines: 1, examples: ["m1"] }]);
  });
  it("counts the units of a machine together, and global ones that run there", () => {
    const values = {
      ...machines("m1", "m2"),
      ...unit("a.service", "Conflicts=c.service g.service"),
      ...unit("b.service", "", { machineID: "m1" }),
      ...unit("c.service", "", { machineID: "m1" }),
      ...globalUnit("g.service", "MachineMetadata=a=2"),
      [keys.machineMetadata("m2", "a")]: "2",
    };
    expect(explained(values)?.reasons.map(({ reason }) => reason)).toEqual([
      "it conflicts with c.service there",
      "it conflicts with g.service there",
    ]);
  });
  it("knows who replaces whom, and which machines are cordoned", () => {
    const values = {
      ...machines("m1", "m2"),
      ...unit("a.service"),
      ...unit("r.service", "Replaces=a.service", { machineID: "m1" }),
      [keys.cordon("m2")]: { drain: false, since: "" },
    };
    expect(explained(values)?.reasons.map(({ reason }) => reason)).toEqual([
      "it is cordoned",
      "r.service there replaces it",
    ]);
  });
  it("has machines by ID, whatever was heard first", () => {
    const values = { ...machines("m3", "m2"), ...unit("a.service", "MachineMetadata=a=1") };
    expect(explained(values)?.reasons.map(({ examples }) => examples)).toEqual([["m2", "m3"]]);
  });
  it("says of a global unit that one of two that are in each other's way runs, the older one", () => {
    const values = { ...machines("m1"), ...globalUnit("b.service"), ...globalUnit("a.service", "Conflicts=b.service") };
    expect(explained(values)).toMatchObject({ fitting: 0, reasons: [{ reason: "it conflicts with a unit there" }] });
    expect(explained(values, "b.service")?.fitting).toBe(1);
  });
  it("knows that in a ring of units none pushes another away", () => {
    const values = {
      ...machines("m1"),
      ...unit("a.service", "Replaces=b.service", { machineID: "m1" }),
      ...unit("b.service", "Replaces=c.service"),
      ...unit("c.service", "Replaces=a.service"),
    };
    expect(explained(values, "b.service")?.fitting).toBe(1);
  });
  it("comes in parts, so that a large cluster holds nothing else up", () => {
    const state = new ClusterState(keys);
    const put = (values: object): void => {
      for (const [key, value] of Object.entries(values)) {
        const text = typeof value === "string" ? value : JSON.stringify(value);
        state.put({ key, value: text, createRevision: 1, modRevision: 1 });
      }
    };
    for (let n = 0; n < 401; n++) put(unit(`u${n}.service`));
    for (let n = 0; n < 100; n++) put(machines(`m${n}`));
    expect([...lookAt(state)]).toHaveLength(2);
    expect([...explainIn(state, run(lookAt(state)), "u1.service")]).toHaveLength(2);
  });
});

describe("a version that is not put in yet", () => {
  const versionOf = (values: Readonly<Record<string, object | string>>, lines: string, name = "a.service") => {
    const state = stateOf(values);
    return run(explainVersion(state, run(lookAt(state)), name, parseUnitFile(fileOf(lines))));
  };
  it("of a unit that there is not is explained as one that would be launched", () => {
    expect(versionOf(machines("m1", "m2"), "MachineMetadata=a=1")).toEqual({
      ...{ name: "a.service", desiredState: "launched", global: false, machines: 2, fitting: 1 },
      summary: "1 of 2 machines fits",
      reasons: [{ reason: "its metadata lacks a=1", machines: 1, examples: ["m2"] }],
    });
  });
  it("is told to fit nowhere, also where the version before runs", () => {
    const values = { ...machines("m1"), ...unit("a.service", "", { machineID: "m1" }) };
    expect(versionOf(values, "MachineMetadata=a=2")).toMatchObject({
      fitting: 0,
      summary: "pending: none of 1 machines fits",
    });
  });
  it("is not kept off by the version before, nor by its cordoned machine", () => {
    const values = {
      ...machines("m1", "m2"),
      ...unit("a.service", "Conflicts=a*", { machineID: "m1" }),
      [keys.cordon("m1")]: { drain: false, since: "" },
    };
    expect(versionOf(values, "Conflicts=a*")).toMatchObject({ fitting: 2, reasons: [] });
  });
  it("may become global, and gives way to older ones", () => {
    const values = { ...machines("m1", "m2"), ...globalUnit("b.service", "MachineMetadata=a=1") };
    expect(versionOf(values, "Global=true\nConflicts=b*")).toMatchObject({ global: true, fitting: 1 });
  });
});

describe("reasons against machines", () => {
  const of = (reasons: Readonly<Record<string, string | null>>) =>
    reasonsAgainst(Object.keys(reasons), (id) => reasons[id] ?? null);
  it("come with the one that is true of most first, with a few examples, and count what fits", () => {
    expect(of({ m1: "b", m2: "a", m3: "a", m4: null, m5: "a", m6: "a" })).toEqual({
      fitting: 1,
      reasons: [
        { reason: "a", machines: 4, examples: ["m2", "m3", "m5"] },
        { reason: "b", machines: 1, examples: ["m1"] },
      ],
    });
  });
  it("come by their words where they are true of as many", () => {
    expect(of({ m1: "b", m2: "c", m3: "a" }).reasons.map(({ reason }) => reason)).toEqual(["a", "b", "c"]);
  });
});

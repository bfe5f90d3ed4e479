import { describe, expect, it } from "vitest";
import { NOWHERE, type Whereabouts } from "../whereabouts/whereabouts.ts";
import { type ClusterEvent, eventsOf, passesFilter } from "./events.ts";
import type { LeaderRecord, MachineRecord, StateRecord, UnitRecord } from "./records.ts";
import type { Versioned } from "./state.ts";

const REVISIONS = { createRevision: 1, modRevision: 7 };
const ON_M1: Whereabouts = { kind: "placed", on: "m1" };
const ON_M2: Whereabouts = { kind: "placed", on: "m2" };

function unit(more: Partial<UnitRecord> = {}): Versioned<UnitRecord> {
  const record: UnitRecord = {
    ...{ hash: "h1", desiredState: "launched", global: false, whereabouts: NOWHERE, cause: null },
    ...more,
  };
  return { ...record, ...REVISIONS };
}

/** A state as `current active sub`, and what else is so. */
function state(text: string, more: Partial<StateRecord> = {}): Versioned<StateRecord> {
  const [current = "", active = "", sub = ""] = text.split(" ");
  const systemd = { load: "loaded", active, sub };
  return { hash: "h1", current: current as StateRecord["current"], systemd, error: null, ...more, ...REVISIONS };
}

/** Kind, machine, machine before and cause of each event: all but what every one of them has. */
const told = (events: readonly ClusterEvent[]): readonly string[] =>
  events.map(({ kind, machineID, previousMachineID, cause }) => {
    const before = previousMachineID === undefined ? "" : ` from ${previousMachineID}`;
    return `${kind}${machineID === undefined ? "" : ` ${machineID}`}${before}: ${cause}`;
  });

describe("a unit", () => {
  type Row = [
    what: string,
    before: ReturnType<typeof unit> | null,
    after: ReturnType<typeof unit> | null,
    told: string[],
  ];
  it.each<Row>([
    ["that is new is submitted", null, unit(), ["submitted: a client created it"]],
    ["with a new version is submitted", unit(), unit({ hash: "h2" }), ["submitted: a client submitted a new version"]],
    ["that is removed is destroyed", unit(), null, ["destroyed: a client removed it"]],
    [
      "that is removed from its machine says which",
      unit({ whereabouts: ON_M1 }),
      null,
      ["destroyed from m1: a client removed it"],
    ],
    ["of which nothing was known is destroyed too", null, null, ["destroyed: a client removed it"]],
    ["that is placed is scheduled", unit(), unit({ whereabouts: ON_M1 }), ["scheduled m1: the engine placed it"]],
    ["that is placed says why", unit(), unit({ whereabouts: ON_M1, cause: "it fits" }), ["scheduled m1: it fits"]],
    [
      "that comes with its machine is submitted and scheduled",
      null,
      unit({ whereabouts: ON_M1 }),
      ["submitted: a client created it", "scheduled m1: the engine placed it"],
    ],
    [
      "that goes elsewhere is moved",
      unit({ whereabouts: ON_M1 }),
      unit({ whereabouts: ON_M2 }),
      ["moved m2 from m1: the engine placed it"],
    ],
    [
      "that is placed anew elsewhere is moved from where its former version was",
      unit({ whereabouts: { kind: "nowhere", last: "m1", preferred: null } }),
      unit({ whereabouts: ON_M2, cause: "it fits" }),
      ["moved m2 from m1: it fits"],
    ],
    [
      "that is placed anew where it was is scheduled",
      unit({ whereabouts: { kind: "nowhere", last: "m1", preferred: null } }),
      unit({ whereabouts: ON_M1 }),
      ["scheduled m1: the engine placed it"],
    ],
    [
      "that leaves its machine is unscheduled for the reason of the move",
      unit({ whereabouts: ON_M1 }),
      unit({ whereabouts: { kind: "leaving", from: "m1", last: "m1", preferred: "m2" }, cause: "it is drained" }),
      ["unscheduled from m1: it is drained"],
    ],
    [
      "that is stopped is unscheduled",
      unit({ whereabouts: ON_M1 }),
      unit({ desiredState: "inactive" }),
      ["unscheduled from m1: its desired state is inactive"],
    ],
    [
      "with a version that asks for something else is unscheduled",
      unit({ whereabouts: ON_M1 }),
      unit({ hash: "h2" }),
      ["submitted: a client submitted a new version", "unscheduled from m1: its new version is scheduled again"],
    ],
    [
      "that only sets out for another machine says nothing",
      unit({ whereabouts: ON_M1 }),
      unit({ whereabouts: { kind: "moving", on: "m1", to: "m2" } }),
      [],
    ],
    ["that is wanted otherwise says nothing", unit({ desiredState: "loaded" }), unit(), []],
  ])("%s", (_what, before, after, expected) => {
    const events = eventsOf({ kind: "unit", name: "a.service", before, after, revision: 7 });
    expect(told(events)).toEqual(expected);
    for (const event of events) expect(event).toMatchObject({ unit: "a.service", revision: 7 });
  });
});

describe("what a machine says of a unit", () => {
  const LOADED = "loaded inactive dead";
  const RUNNING = "launched active running";
  const FAILED = "launched failed failed";
  const STARTING = "launched activating start";
  const RETRYING = "launched activating auto-restart";
  const ENDED = "launched inactive dead";
  type Report = string | null | Versioned<StateRecord>;
  it.each<[what: string, before: Report, after: Report, told: string[]]>([
    ["loaded where it comes", null, LOADED, ["loaded: it is scheduled there"]],
    ["nothing where it is known and inactive", null, "inactive inactive dead", []],
    ["loaded and started", null, STARTING, ["loaded: it is scheduled there", "started: its desired state is launched"]],
    [
      "all at once where it runs already",
      null,
      RUNNING,
      [
        "loaded: it is scheduled there",
        "started: its desired state is launched",
        "active: systemd says active (running)",
      ],
    ],
    ["started where it was loaded", LOADED, STARTING, ["started: its desired state is launched"]],
    ["loaded where it was known only", "inactive inactive dead", LOADED, ["loaded: its file is new"]],
    ["loaded with a new file", state(LOADED, { hash: "h0" }), LOADED, ["loaded: its file is new"]],
    [
      "loaded and started anew with a new file",
      state(RUNNING, { hash: "h0" }),
      RUNNING,
      ["loaded: its file is new", "started: its desired state is launched"],
    ],
    ["nothing with a new file that is not loaded", state(LOADED, { hash: "h0" }), "inactive inactive dead", []],
    ["active once it runs", STARTING, RUNNING, ["active: systemd says active (running)"]],
    ["nothing while it goes on running", RUNNING, "launched active exited", []],
    ["nothing while it reloads", RUNNING, "launched reloading reload", []],
    ["failed when it fails", RUNNING, FAILED, ["failed: systemd says failed (failed)"]],
    [
      "failed with what its run came to",
      RUNNING,
      state(FAILED, { run: { result: "exit-code", exitStatus: 3, exitSignal: null, restarts: 0 } }),
      ["failed: exit status 3 (exit-code)"],
    ],
    [
      "failed in a crash loop with the number of restarts",
      RUNNING,
      state(RETRYING, { run: { result: "signal", exitStatus: null, exitSignal: "SIGKILL", restarts: 4 } }),
      ["failed: keeps failing: killed by SIGKILL (signal), after 4 restarts"],
    ],
    ["nothing while it stays failed", FAILED, FAILED, []],
    [
      "failed again with other news",
      state(FAILED, { hash: "h0" }),
      FAILED,
      ["loaded: its file is new", "started: its desired state is launched", "failed: systemd says failed (failed)"],
    ],
    [
      "failed when systemd has to start it again",
      RUNNING,
      RETRYING,
      ["failed: systemd says activating (auto-restart)"],
    ],
    ["nothing while systemd goes on with that", RETRYING, "launched activating auto-restart-queued", []],
    [
      "failed where it comes like that",
      null,
      RETRYING,
      [
        "loaded: it is scheduled there",
        "started: its desired state is launched",
        "failed: systemd says activating (auto-restart)",
      ],
    ],
    ["failed with what fleet could not do", LOADED, state(LOADED, { error: "no such file" }), ["failed: no such file"]],
    ["nothing while that stays so", state(LOADED, { error: "no" }), state(LOADED, { error: "no" }), []],
    [
      "failed where it is something else now",
      state(LOADED, { error: "no" }),
      state(LOADED, { error: "never" }),
      ["failed: never"],
    ],
    ["nothing where that is over", state(LOADED, { error: "no" }), LOADED, []],
    ["stopped when it ends", RUNNING, ENDED, ["stopped: systemd says inactive (dead)"]],
    ["stopped when it ends while it starts", STARTING, ENDED, ["stopped: systemd says inactive (dead)"]],
    ["stopped when it is not started again", RETRYING, ENDED, ["stopped: systemd says inactive (dead)"]],
    [
      "stopped when it is taken back after it has failed",
      FAILED,
      "loaded failed failed",
      ["stopped: systemd says failed (failed)"],
    ],
    ["stopped when it is taken back after it has ended", ENDED, LOADED, ["stopped: systemd says inactive (dead)"]],
    ["nothing while it is taken back and still runs", RUNNING, "loaded deactivating stop-sigterm", []],
    ["nothing when it is loaded and rests", LOADED, LOADED, []],
    ["nothing when it is known only after it was loaded", LOADED, "inactive inactive dead", []],
    ["unloaded when it is not reported any more", LOADED, null, ["unloaded: the machine no longer reports it"]],
    ["unloaded when it had failed", FAILED, null, ["unloaded: the machine no longer reports it"]],
    ["unloaded where nothing was known", null, null, ["unloaded: the machine no longer reports it"]],
    ...[RUNNING, STARTING, RETRYING].map((before): [string, Report, Report, string[]] => [
      `stopped and unloaded when it was ${before}`,
      before,
      null,
      ["stopped: the machine no longer reports it", "unloaded: the machine no longer reports it"],
    ]),
  ])("is %s", (_what, before, after, expected) => {
    const read = (report: Report) => (typeof report === "string" ? state(report) : report);
    const about = { kind: "state", name: "a.service", machineID: "m1", revision: 7 } as const;
    const events = eventsOf({ ...about, before: read(before), after: read(after) });
    expect(events.map(({ kind, cause }) => `${kind}: ${cause}`)).toEqual(expected);
    for (const event of events) expect(event).toMatchObject({ unit: "a.service", machineID: "m1", revision: 7 });
  });
});

describe("a machine", () => {
  const machine = (metadata: Record<string, string>, version = "2"): Versioned<MachineRecord> => ({
    ...{ id: "m1", primaryIP: "", metadata, version, capabilities: [], instanceID: "i", ...REVISIONS },
  });
  type Row = [
    what: string,
    before: ReturnType<typeof machine> | null,
    after: ReturnType<typeof machine> | null,
    told: string[],
  ];
  it.each<Row>([
    ["joins", null, machine({}), ["machine-joined m1: its agent started"]],
    ["leaves", machine({}), null, ["machine-left m1: its agent ended, or its lease ran out"]],
    [
      "has other metadata",
      machine({}),
      machine({ a: "1" }),
      ["machine-metadata-changed m1: its configuration was reloaded"],
    ],
    ["says nothing with the same metadata", machine({ a: "1" }), machine({ a: "1" }, "3"), []],
  ])("%s", (_what, before, after, expected) => {
    const events = eventsOf({ kind: "machine", id: "m1", before, after, revision: 7 });
    expect(told(events)).toEqual(expected);
    for (const event of events) expect(event.revision).toBe(7);
  });
  it.each([
    ["set", { value: "ssd" }, "a client set disk=ssd"],
    ["emptied", { value: "" }, "a client removed disk"],
    ["removed", null, "a client removed disk"],
  ])("tells that a key of its metadata was %s", (_what, value, cause) => {
    const after = value === null ? null : { ...value, ...REVISIONS };
    const change = {
      kind: "machine-metadata",
      machineID: "m1",
      key: "disk",
      before: null,
      after,
      revision: 7,
    } as const;
    expect(eventsOf(change)).toEqual([{ kind: "machine-metadata-changed", revision: 7, cause, machineID: "m1" }]);
  });
});

describe("the leader", () => {
  const leader = (machineID: string, version = 2): Versioned<LeaderRecord> => ({
    ...{ machineID, version, startedAt: "", ...REVISIONS },
  });
  type Row = [
    what: string,
    before: ReturnType<typeof leader> | null,
    after: ReturnType<typeof leader> | null,
    told: string[],
  ];
  const LEFT = "the leader stepped down, or its lease ran out";
  it.each<Row>([
    ["is elected", null, leader("m1"), ["leader-changed m1: it was elected"]],
    ["is another", leader("m1"), leader("m2"), ["leader-changed m2 from m1: it was elected"]],
    ["is gone", leader("m1"), null, [`leader-changed from m1: ${LEFT}`]],
    ["is the same, which says nothing", leader("m1"), leader("m1", 3), []],
  ])("%s", (_what, before, after, expected) => {
    const events = eventsOf({ kind: "leader", before, after, revision: 7 });
    expect(told(events)).toEqual(expected);
    for (const event of events) expect(event.revision).toBe(7);
  });
});

it("a machine whose units stay there though it is lost is told of once, with until when", () => {
  const known = (heldUntil?: string) => ({
    ...{ primaryIP: "", lostSince: null, ...REVISIONS },
    ...(heldUntil === undefined ? {} : { heldUntil }),
  });
  const about = { kind: "known-machine", id: "m1", revision: 7 } as const;
  const held = eventsOf({ ...about, before: known(), after: known("2026-11-26T05:00:00.000Z") });
  expect(told(held)).toEqual([
    "machine-held m1: it disappeared while etcd was unreachable, and may still be running: its units stay there until 2026-11-26T05:00:00.000Z",
  ]);
  expect(eventsOf({ ...about, before: known("2026"), after: known("2026") })).toEqual([]);
  expect(eventsOf({ ...about, before: known("2026"), after: known() })).toEqual([]);
});

it("other changes are no events", () => {
  const cordon = { drain: true, since: "", ...REVISIONS };
  expect(eventsOf({ kind: "cordon", machineID: "m1", before: null, after: cordon, revision: 7 })).toEqual([]);
});

describe("a filter", () => {
  const M1 = "1".repeat(32);
  const event = { kind: "moved", unit: "web@1.service", machineID: M1, previousMachineID: "2".repeat(32) } as const;
  const left = { kind: "machine-left", machineID: M1 } as const;
  const filter = (more: Partial<Parameters<typeof passesFilter>[0]>) => ({
    units: [],
    machines: [],
    kinds: [],
    ...more,
  });
  it.each([
    ["that asks for nothing lets all through", {}, event, true],
    ["lets its kinds through", { kinds: ["failed", "moved"] as const }, event, true],
    ["lets no other kinds through", { kinds: ["failed"] as const }, event, false],
    ["lets units through that a glob matches", { units: ["db*", "web@*"] }, event, true],
    ["lets units through by their names", { units: ["web@1.service"] }, event, true],
    ["takes a name that is a malformed glob for the name", { units: ["a["] }, { ...event, unit: "a[" }, true],
    ["lets no other units through", { units: ["db*"] }, event, false],
    ["of units lets nothing through that is about none", { units: ["*"] }, left, false],
    ["lets machines through by their IDs", { machines: ["3".repeat(32), M1] }, event, true],
    ["lets machines through by their short IDs", { machines: ["11111111"] }, left, true],
    ["lets through what was on a machine before", { machines: ["22222222"] }, event, true],
    ["lets no other machines through", { machines: ["33333333"] }, event, false],
    [
      "of machines lets nothing through that is about none",
      { machines: ["11111111"] },
      { kind: "submitted" as const, unit: "a" },
      false,
    ],
    ["wants one entry of each list", { units: ["web@*"], kinds: ["failed"] as const }, event, false],
    ["wants one entry of each list, machines too", { units: ["web@*"], machines: ["33333333"] }, event, false],
  ])("%s", (_what, asked, about, passes) => expect(passesFilter(filter(asked), about)).toBe(passes));
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type KeyRange, Keys } from "./keys.ts";
import { KINDS, type Kind } from "./kinds.ts";
import { ClusterState } from "./state.ts";

const keys = new Keys("/f/");

describe("keys", () => {
  it.each([
    ["/f/units/a.service", { kind: "unit", name: "a.service" }],
    ["/f/unit-files/0a", { kind: "unit-file", hash: "0a" }],
    ["/f/sources/0a", { kind: "source", hash: "0a" }],
    ["/f/schedule/m1/a.service", { kind: "schedule", machineID: "m1", name: "a.service" }],
    ["/f/global/a.service", { kind: "global", name: "a.service" }],
    ["/f/states/m1/a.service", { kind: "state", machineID: "m1", name: "a.service" }],
    ["/f/machines/m1", { kind: "machine", id: "m1" }],
    ["/f/machine-metadata/m1/disk", { kind: "machine-metadata", machineID: "m1", key: "disk" }],
    ["/f/cordons/m1", { kind: "cordon", machineID: "m1" }],
    ["/f/moves/a.service", { kind: "move", name: "a.service" }],
    ["/f/rolls/7", { kind: "roll", id: "7" }],
    ["/f/roll-progress/7", { kind: "roll-progress", id: "7" }],
    ["/f/roll-count/last", { kind: "roll-count" }],
    ["/f/engine/leader", { kind: "leader" }],
    ["/f/engine/version", { kind: "engine-version" }],
  ])("%s is taken apart", (key, parsed) => expect(keys.parse(key)).toEqual(parsed));
  it.each(["/g/units/a", "/f/unknown/a", "/f/units", "/f/schedule/m1/", "/f/engine/x"])(
    "%s is none of fleet's",
    (key) => expect(keys.parse(key)).toBeNull(),
  );
  it("of every kind are read as they were written", () => {
    const part = fc.stringMatching(/^[A-Za-z0-9@._-]{1,12}$/).filter((text) => text !== "." && text !== "..");
    fc.assert(
      fc.property(fc.constantFrom(...(Object.keys(KINDS) as Kind[])), part, part, (kind, first, second) => {
        const parts = [first, second].slice(0, KINDS[kind].parts);
        const key = (keys.of as (kind: Kind, ...parts: string[]) => string).call(keys, kind, ...parts);
        expect(keys.parts(key)).toEqual({ kind, first: parts[0] ?? "", second: parts[1] ?? "" });
      }),
    );
  });
});

describe("a key with parts that fleet would not write", () => {
  it.each([
    ...["/f/schedule/m1/../x.service", "/f/schedule/m1/a/b.service", "/f/schedule/../a.service", "/f/schedule/m1/.."],
    ...[
      "/f/units/",
      "/f/units/a b.service",
      "/f/units/a\nb.service",
      "/f/units/\x1b[2J",
      "/f/units/a/b",
      "/f/units/..",
    ],
    ...[
      "/f/states/m1/../../x",
      "/f/machines/..",
      "/f/machines/m\u00851",
      "/f/machine-metadata/m1/a/b",
      "/f/moves/é.service",
    ],
    ...[
      "/f/cordons/m1\n",
      "/f/unit-files/../units/a.service",
      `/f/units/${"a".repeat(257)}`,
      "/f/schedule/m1",
      "/f/schedule//a",
    ],
  ])("%j is refused, and told", (key) => {
    expect([keys.parse(key), keys.parts(key), keys.isRefused(key)]).toEqual([null, null, true]);
    const state = new ClusterState(keys);
    expect(
      state.put({ key, value: '{"hash":"h","desiredState":"launched"}', createRevision: 1, modRevision: 1 }),
    ).toBeNull();
    expect([...state.malformed]).toEqual([key]);
    expect([state.units.size, state.schedule.size, state.machines.size]).toEqual([0, 0, 0]);
    expect([state.delete(key, 2), state.malformed.size]).toEqual([null, 0]);
  });
  it.each(["/g/units/a/..", "/f/trolls/../a", "/f/units", "/f/engine/x"])("%s is not fleet's at all", (key) => {
    expect(keys.isRefused(key)).toBe(false);
  });
});

describe("ranges of keys", () => {
  const ALL = [
    ...[keys.unit("a"), keys.unitFile("h"), keys.schedule("m1", "a"), keys.schedule("m2", "a"), keys.global("a")],
    ...[keys.state("m1", "a"), keys.machine("m1"), keys.machineMetadata("m1", "k"), keys.machineMetadata("m2", "k")],
    ...[keys.cordon("m1"), keys.ended("m1", "a"), keys.move("a"), keys.leader(), keys.engineVersion()],
    keys.source("h"),
  ];
  const others = ["/f", "/g/units/a", "/e/units/a"];
  /** The keys that lie in the ranges. */
  const within = (ranges: readonly KeyRange[]): readonly string[] =>
    [...ALL, ...others].filter((key) => ranges.some(({ start, end }) => start <= key && key < end));
  it("are all of fleet's", () => {
    expect(keys.all()).toEqual({ start: "/f/", end: "/f0" });
    expect(within([keys.all()])).toEqual(ALL);
  });
  it("of an agent are what it acts on, and nothing of another machine", () => {
    expect(within(keys.agentRanges("m1"))).toEqual([
      ...[keys.schedule("m1", "a"), keys.global("a"), keys.machineMetadata("m1", "k")],
    ]);
  });
  it("of the engine leave out what follows the units, the states, and texts", () => {
    const followed = [keys.schedule("m1", "a"), keys.schedule("m2", "a"), keys.state("m1", "a")];
    const left = [...followed, keys.source("h"), keys.unitFile("h")];
    expect(within(keys.engineRanges())).toEqual(ALL.filter((key) => !left.includes(key)));
  });
  it("of the API leave out what follows the units, and texts, but for files where they are asked for", () => {
    const left = [keys.schedule("m1", "a"), keys.schedule("m2", "a"), keys.source("h")];
    expect(within(keys.apiRanges())).toEqual(ALL.filter((key) => ![...left, keys.unitFile("h")].includes(key)));
    expect(within(keys.rangesWithFiles())).toEqual(ALL.filter((key) => !left.includes(key)));
  });
});

describe("the copy in memory", () => {
  const put = (state: ClusterState, key: string, value: string, revision = 1) =>
    state.put({ key, value, createRevision: revision, modRevision: revision });
  it("has states by unit, then by machine, and forgets what is empty", () => {
    const state = new ClusterState(keys);
    const value = '{"hash":"h","current":"loaded","load":"loaded","active":"active","sub":"running"}';
    put(state, keys.state("m1", "a.service"), value);
    put(state, keys.state("m2", "a.service"), value);
    expect([...(state.states.get("a.service")?.keys() ?? [])]).toEqual(["m1", "m2"]);
    state.delete(keys.state("m1", "a.service"), 2);
    state.delete(keys.state("m2", "a.service"), 3);
    expect(state.states.size).toBe(0);
  });
  it("tells what a change was before and after", () => {
    const state = new ClusterState(keys);
    expect(put(state, keys.machineMetadata("m1", "disk"), "ssd", 3)).toEqual({
      ...{ kind: "machine-metadata", machineID: "m1", key: "disk", before: null, revision: 3 },
      after: { value: "ssd", createRevision: 3, modRevision: 3 },
    });
    expect(state.delete(keys.machineMetadata("m1", "disk"), 4)).toMatchObject({
      ...{ before: { value: "ssd" }, after: null, revision: 4 },
    });
    expect(state.delete(keys.machineMetadata("m1", "disk"), 5)).toBeNull();
  });
  it("keeps what was understood last where a value can't be read, and says which key", () => {
    const state = new ClusterState(keys);
    put(state, keys.leader(), '{"machineID":"m1","version":2,"startedAt":""}');
    expect(put(state, keys.leader(), "{broken", 2)).toBeNull();
    expect([state.leader?.machineID, [...state.malformed]]).toEqual(["m1", [keys.leader()]]);
    state.delete(keys.leader(), 3);
    expect([state.leader, state.malformed.size]).toEqual([null, 0]);
  });
  it("knows what a unit asks for by its record, readable or not, and else by its file", () => {
    const state = new ClusterState(keys);
    put(state, keys.unit("a.service"), '{"hash":"h","section":"[X-Fleet]\\nStay=true\\n","desiredState":"launched"}');
    put(state, keys.unit("b.service"), '{"hash":"h","section":"","desiredState":"paused"}');
    put(state, keys.unit("c.service"), '{"hash":"g","desiredState":"launched"}');
    expect(state.sectionOf("a.service", "h")).toBe("[X-Fleet]\nStay=true\n");
    expect(state.sectionOf("b.service", "h")).toBe("");
    expect([state.sectionOf("a.service", "g"), state.sectionOf("c.service", "g")]).toEqual([null, null]);
    put(state, keys.unitFile("g"), "[Service]\n");
    expect(state.sectionOf("c.service", "g")).toBe("[Service]\n");
    put(state, keys.unit("b.service"), "?");
    expect(state.sectionOf("b.service", "h")).toBeNull();
  });
  it("knows what can't be read from what is not there", () => {
    const state = new ClusterState(keys);
    const hash = "0123456789".repeat(4);
    expect([state.isUnreadable("unit", "a.service"), state.unreadableHashes]).toEqual([false, new Set()]);
    put(state, keys.unit("a.service"), `{"hash": "${hash}","desiredState":"paused"}`);
    expect([state.isUnreadable("unit", "a.service"), state.isUnreadable("unit", "b.service")]).toEqual([true, false]);
    expect(state.unreadableHashes).toEqual(new Set([hash]));
    put(state, keys.machine("m1"), "?");
    expect(state.unreadableHashes).toEqual(new Set([hash]));
    put(state, keys.global("b.service"), "{broken");
    expect(state.unreadableHashes).toBeNull();
    put(state, keys.global("b.service"), '{"hash":"h","desiredState":"launched"}', 2);
    expect(state.unreadableHashes).toEqual(new Set([hash]));
  });
  it("tells when something went that could never be read", () => {
    const state = new ClusterState(keys);
    put(state, keys.machine("m1"), "?");
    expect(state.delete(keys.machine("m1"), 2)).toEqual({
      kind: "machine",
      id: "m1",
      before: null,
      after: null,
      revision: 2,
    });
    expect([state.isUnreadable("machine", "m1"), state.delete(keys.machine("m1"), 3)]).toEqual([false, null]);
  });
  it("has a value that could not be read and was written anew", () => {
    const state = new ClusterState(keys);
    put(state, keys.engineVersion(), "two");
    expect([state.engineVersion, state.malformed.size]).toEqual([null, 1]);
    put(state, keys.engineVersion(), "2", 2);
    expect([state.engineVersion?.version, state.malformed.size]).toEqual([2, 0]);
  });
});

import { describe, expect, it } from "vitest";
import type { ClusterState } from "../cluster/state.ts";
import { targetOf } from "./rebalance.ts";
import { type MoveActivity, relocationsOf, staleMoves } from "./relocations.ts";
import { cluster, happen, id, put, settle, three } from "./testing/clusters.ts";

describe("moving on request", () => {
  const state = (moves: Record<string, { to: string; limit: number }>): ClusterState =>
    ({
      moves: new Map(Object.entries(moves).map(([name, move]) => [name, { ...move, reason: "even" }])),
    }) as unknown as ClusterState;
  const activity = (more: Partial<MoveActivity> = {}): MoveActivity => ({
    busy: new Map(),
    isResting: () => false,
    triedAt: () => 0,
    ...more,
  });
  it("drains a machine one unit after the other, followers with what they follow", () => {
    const model = cluster(three, [
      { name: "a.service", machineID: id(1), lines: "MachineOf=b.service" },
      { name: "b.service", machineID: id(1) },
      { name: "c.service", machineID: id(1) },
      { name: "d.service", machineID: id(2) },
    ]);
    model.setCordon(id(1), { drain: true });
    const [first, ...others] = relocationsOf(model, state({}), activity());
    expect([first?.unit, others]).toEqual(["b.service", []]);
    if (first === undefined) throw new Error("nothing to move");
    expect(relocationsOf(model, state({}), activity({ busy: new Map([["b.service", first]]) }))).toEqual([]);
    expect(
      relocationsOf(model, state({}), activity({ isResting: (unit) => unit === "b.service" })).map(({ unit }) => unit),
    ).toEqual(["c.service"]);
    const unit = model.units.get("b.service");
    expect(unit && targetOf(model, unit)).toBe(id(3));
    expect(unit && targetOf(model, unit, id(2))).toBe(id(2));
    expect(unit && targetOf(model, unit, id(1))).toBe(id(3));
  });
  it("makes as many moves of a rebalance at a time as its limit allows", () => {
    const model = cluster(
      three,
      [1, 2, 3, 4].map((n) => ({ name: `u${n}.service`, machineID: id(1) })),
    );
    const moves = Object.fromEntries([1, 2, 3].map((n) => [`u${n}.service`, { to: id(2), limit: 2 }]));
    expect(relocationsOf(model, state(moves), activity()).map(({ unit, preferred }) => [unit, preferred])).toEqual([
      ["u1.service", id(2)],
      ["u2.service", id(2)],
    ]);
  });
  it("knows requests that nothing is to be done about: done, destroyed, stopped", () => {
    const model = cluster(three, [
      { name: "there.service", machineID: id(2) },
      { name: "stopped.service", desiredState: "inactive" },
      { name: "due.service", machineID: id(1) },
      { name: "busy.service", machineID: id(2) },
      { name: "leaving.service", leaving: id(1) },
    ]);
    const names = ["there", "stopped", "destroyed", "due", "busy", "leaving"].map((name) => `${name}.service`);
    const moves = state(Object.fromEntries(names.map((name) => [name, { to: id(2), limit: 1 }])));
    const busy = new Map([
      ["busy.service", { unit: "busy.service", from: id(1), preferred: id(2), group: "rebalance", reason: "" }],
    ]);
    expect(staleMoves(model, moves, busy)).toEqual(["destroyed.service", "stopped.service", "there.service"]);
  });
  it("places a unit that is leaving a machine only when it has left it", () => {
    const model = cluster(three, []);
    put(model, { name: "a.service", machineID: id(1) });
    happen(model, "a.service", { kind: "leave", preferred: id(2) });
    expect(settle(model).get("a.service")).toBeNull();
    expect(relocationsOf(model, state({}), activity())).toMatchObject([
      { unit: "a.service", from: id(1), preferred: id(2) },
    ]);
    happen(model, "a.service", { kind: "left" });
    expect(settle(model).get("a.service")).toBe(id(2));
  });
  it("drains in turn: what could not be moved lately does not hold up the rest", () => {
    const model = cluster(
      three,
      ["a", "b", "c"].map((n) => ({ name: `${n}.service`, machineID: id(1) })),
    );
    model.setCordon(id(1), { drain: true });
    const tried: Record<string, number> = { "a.service": 20, "b.service": 10 };
    const next = (): string | undefined =>
      relocationsOf(model, state({}), activity({ triedAt: (unit) => tried[unit] ?? 0 }))[0]?.unit;
    expect(next()).toBe("c.service");
    tried["c.service"] = 30;
    expect(next()).toBe("b.service");
  });
  it("finishes what another engine began", () => {
    const model = cluster(three, [{ name: "a.service", machineID: id(1) }]);
    happen(model, "a.service", { kind: "begin-move", to: id(3) });
    expect(relocationsOf(model, state({}), activity())).toMatchObject([
      { unit: "a.service", from: id(1), preferred: id(3) },
    ]);
  });
  const units = (...names: readonly string[]) => names.map((name) => ({ name: `${name}.service`, machineID: id(1) }));
  const due = (...args: Parameters<typeof relocationsOf>) => relocationsOf(...args).map(({ unit }) => unit);
  it("says where from, where to and why, for each kind of request", () => {
    const model = cluster(three, units("a", "b", "c", "d"));
    happen(model, "a.service", { kind: "begin-move", to: id(2) });
    happen(model, "b.service", { kind: "leave", preferred: id(3) });
    const moves = state({ "d.service": { to: id(3), limit: 1 } });
    const unfinished = (name: string) => ({ group: `unfinished ${name}.service`, reason: "its move is finished" });
    const asked = [
      { unit: "a.service", from: id(1), preferred: id(2), ...unfinished("a") },
      { unit: "b.service", from: id(1), preferred: id(3), ...unfinished("b") },
      { unit: "d.service", from: id(1), preferred: id(3), group: "rebalance", reason: "rebalanced: even" },
    ];
    expect(relocationsOf(model, moves, activity())).toEqual(asked);
    model.setCordon(id(1), { drain: true });
    const reason = `its machine ${id(1)} is being drained`;
    const drained = { unit: "c.service", from: id(1), preferred: null, group: `drain ${id(1)}`, reason };
    expect(relocationsOf(model, state({}), activity())).toEqual([...asked.slice(0, 2), drained]);
  });
  it("drains each machine by itself, and only those that are to be drained and are there", () => {
    const model = cluster(three, [
      ...units("a", "b"),
      { name: "c.service", machineID: id(2) },
      { name: "d.service", machineID: id(3) },
      { name: "e.service", machineID: id(9) },
    ]);
    model.setCordon(id(2), { drain: true });
    model.setCordon(id(1), { drain: true });
    model.setCordon(id(3), { drain: false });
    model.setCordon(id(9), { drain: true });
    expect(due(model, state({}), activity())).toEqual(["a.service", "c.service"]);
  });
  it("leaves a unit to its other machine that is on its way to one that is drained", () => {
    const model = cluster(three, units("a"));
    happen(model, "a.service", { kind: "begin-move", to: id(2) });
    model.setCordon(id(2), { drain: true });
    expect(relocationsOf(model, state({}), activity()).map(({ unit, from }) => [unit, from])).toEqual([
      ["a.service", id(1)],
    ]);
  });
  it("sets a unit in motion once that is drained and asked for at the same time", () => {
    const model = cluster(three, units("a"));
    model.setCordon(id(1), { drain: true });
    expect(due(model, state({ "a.service": { to: id(2), limit: 5 } }), activity())).toEqual(["a.service"]);
  });
  it("takes requests by name, whatever came first", () => {
    const model = cluster(three, units("a", "b", "c"));
    const moves = Object.fromEntries(["b", "c", "a"].map((name) => [`${name}.service`, { to: id(2), limit: 9 }]));
    expect(due(model, state(moves), activity())).toEqual(["a.service", "b.service", "c.service"]);
  });
  it("counts what is on its way against the limit of a rebalance", () => {
    const model = cluster(three, units("a", "b", "c", "d"));
    const moves = Object.fromEntries(["a", "b", "c", "d"].map((name) => [`${name}.service`, { to: id(2), limit: 3 }]));
    const busy = new Map(["a.service", "b.service"].map((name) => [name, { group: "rebalance" }]));
    expect(due(model, state(moves), activity({ busy }))).toEqual(["c.service"]);
    const others = new Map([["a.service", { group: "drain x" }]]);
    expect(due(model, state(moves), activity({ busy: others }))).toEqual(["b.service", "c.service", "d.service"]);
  });
  it("asks nothing of a unit that is where it is to go, is nowhere, or is unknown", () => {
    const model = cluster(three, [...units("a"), { name: "b.service" }]);
    const moves = Object.fromEntries(["a", "b", "c"].map((name) => [`${name}.service`, { to: id(1), limit: 3 }]));
    expect(due(model, state(moves), activity())).toEqual([]);
  });
  it("keeps a request for a unit that is on its way to where it is to go", () => {
    const model = cluster(three, units("a"));
    happen(model, "a.service", { kind: "begin-move", to: id(2) });
    expect(staleMoves(model, state({ "a.service": { to: id(2), limit: 1 } }), new Map())).toEqual([]);
  });
  it("knows stale requests by name, whatever came first", () => {
    const moves = Object.fromEntries(["b", "c", "a"].map((name) => [`${name}.service`, { to: id(1), limit: 3 }]));
    expect(staleMoves(cluster(three, units("a", "c")), state(moves), new Map())).toEqual([
      ...["a.service", "b.service", "c.service"],
    ]);
  });
});

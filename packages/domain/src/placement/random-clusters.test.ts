import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { placesOf } from "../whereabouts/whereabouts.ts";
import type { ClusterModel } from "./cluster-model.ts";
import { conflicts } from "./conflicts.ts";
import { plan } from "./plan.ts";
import { targetOf } from "./rebalance.ts";
import { cluster, happen, id, put, settle } from "./testing/clusters.ts";
import { clusterArbitrary, machineArbitrary, names, unitArbitrary } from "./testing/random-clusters.ts";
import { reference } from "./testing/reference.ts";

/** What may happen to a cluster between two plans. */
const happeningArbitrary = fc.oneof(
  fc.record({ kind: fc.constant("machine" as const), machine: machineArbitrary }),
  fc.record({ kind: fc.constant("gone" as const), id: fc.integer({ min: 1, max: 6 }).map(id) }),
  fc.record({ kind: fc.constant("unit" as const), unit: fc.constantFrom(...names).chain(unitArbitrary) }),
  fc.record({ kind: fc.constant("destroy" as const), name: fc.constantFrom(...names) }),
  fc.record({ kind: fc.constant("set out" as const), name: fc.constantFrom(...names) }),
  fc.record({ kind: fc.constant("arrive" as const), name: fc.constantFrom(...names) }),
);

type Happening = typeof happeningArbitrary extends fc.Arbitrary<infer T> ? T : never;

function befall(model: ClusterModel, action: Happening, revision: number): void {
  if (action.kind === "gone") model.deleteMachine(action.id);
  else if (action.kind === "machine")
    for (const { id, metadata } of action.machine) model.setMachine({ id, metadata, primaryIP: "", version: "" }, 1);
  else if (action.kind === "set out") {
    const unit = model.units.get(action.name);
    const to = unit === undefined || unit.on === null ? null : targetOf(model, unit);
    if (unit !== undefined && to !== null) model.assume(unit, { kind: "begin-move", to });
  } else if (action.kind === "arrive") {
    if (model.units.get(action.name)?.record.whereabouts.kind === "moving")
      happen(model, action.name, { kind: "finish-move" });
  } else {
    const name = action.kind === "unit" ? action.unit.name : action.name;
    model.deleteGlobal(name);
    if (action.kind === "unit") put(model, action.unit, revision);
    else model.deleteUnit(name);
  }
}

/** Every unit is where it may be, or waits because no machine fits it. */
function expectRulesKept(model: ClusterModel): void {
  for (const unit of model.units.values()) {
    const { on: machineID } = unit;
    if (!unit.isWanted) expect(machineID).toBeNull();
    else if (machineID !== null) expect(model.unfit(unit, machineID)).toBeNull();
    else expect([...model.machineIDs].filter((machine) => model.unfit(unit, machine) === null)).toEqual([]);
  }
  // What is on its way takes its place on both machines.
  for (const id of model.machineIDs) {
    const there = model.unitsOn(id).flatMap((name) => model.units.get(name) ?? []);
    const places = [...model.units.values()].filter(({ record }) => placesOf(record.whereabouts).includes(id));
    expect(there.map(({ name }) => name)).toEqual(places.map(({ name }) => name).sort());
    for (const one of there) expect(there.filter((other) => other !== one && conflicts(one, other))).toEqual([]);
  }
}

describe("on random clusters", () => {
  it("a unit that is pushed away is placed anew after what follows others, as the plain reference does", () => {
    const machines = [1, 2, 3].map((n) => ({ id: id(n) }));
    const lines: Record<string, string> = {
      "b@2.service": "MachineOf=c.service",
      "e.service": "Replaces=c.service b@*",
    };
    const units = names.map((name) => ({ name, lines: lines[name] ?? "" }));
    expect(Object.fromEntries(settle(cluster(machines, units)))).toEqual(
      Object.fromEntries(reference(machines, units)),
    );
  });
  it("a fresh engine places as the plain reference does", () => {
    fc.assert(
      fc.property(clusterArbitrary, ([machines, units]) => {
        // Followers come when their target does, in whatever order: only where they are is compared, one by one.
        expect(Object.fromEntries(settle(cluster(machines, units)))).toEqual(
          Object.fromEntries(reference(machines, units)),
        );
      }),
      { numRuns: 2500 },
    );
  });
  it("the same cluster always gets the same plan, in whatever order it became known", () => {
    fc.assert(
      fc.property(clusterArbitrary, fc.infiniteStream(fc.nat()), ([machines, units], dice) => {
        const shuffled = <T>(items: readonly T[]): T[] =>
          items
            .map((item) => [dice.next().value, item] as const)
            .sort(([a], [b]) => a - b)
            .map(([, item]) => item);
        expect(plan(cluster(shuffled(machines), shuffled(units)), 1000)).toEqual(plan(cluster(machines, units), 1000));
      }),
      { numRuns: 500 },
    );
  });
  it("whatever happens, it comes to rest with every rule kept and nothing waiting that fits", () => {
    fc.assert(
      fc.property(clusterArbitrary, fc.array(happeningArbitrary, { maxLength: 8 }), ([machines, units], happenings) => {
        const model = cluster(machines, units);
        settle(model);
        for (const [index, happening] of happenings.entries()) {
          befall(model, happening, index + 3);
          settle(model);
        }
        expectRulesKept(model);
      }),
      { numRuns: 2500 },
    );
  });
});

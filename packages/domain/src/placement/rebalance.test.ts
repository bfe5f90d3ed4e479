import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planRebalance, targetOf } from "./rebalance.ts";
import { cluster, happen, id, run, settle, three } from "./testing/clusters.ts";
import { clusterArbitrary } from "./testing/random-clusters.ts";

describe("a rebalance", () => {
  it("evens out only what gets better by it, and leaves what is to stay", () => {
    const model = cluster(three, [
      ...[1, 2, 3, 4, 5].map((n) => ({ name: `u${n}.service`, machineID: id(1) })),
      { name: "a-stay.service", machineID: id(1), lines: "Stay=true" },
      { name: "a-pin.service", machineID: id(1), lines: `MachineID=${id(1)}` },
    ]);
    const moves = run(planRebalance(model, 100));
    expect(moves.map(({ unit }) => unit)).toEqual(["u1.service", "u2.service", "u3.service", "u4.service"]);
    expect([1, 2, 3].map((n) => model.loadOf(id(n)))).toEqual([3, 2, 2]);
    expect(run(planRebalance(model, 100))).toEqual([]);
  });
  const unitsOnOne = (lines: string, count = 4) =>
    Array.from({ length: count }, (_, n) => ({ name: `u${n + 1}.service`, machineID: id(1), lines }));
  it("makes as many moves as it may", () => {
    for (const most of [0, 1, 2]) {
      const model = cluster(three, unitsOnOne(""));
      expect(run(planRebalance(model, most)).map(({ unit }) => unit)).toEqual(
        ["u1.service", "u2.service"].slice(0, most),
      );
    }
  });
  it("says how much the machines carried before", () => {
    expect(run(planRebalance(cluster(three, unitsOnOne("Weight=2")), 1))).toEqual([
      { unit: "u1.service", from: id(1), to: id(2), reason: "the load evens out: 8 there, 0 here" },
    ]);
  });
  it("moves nothing that would only turn the difference round", () => {
    expect(run(planRebalance(cluster(three.slice(0, 2), unitsOnOne("Weight=5", 1)), 10))).toEqual([]);
    const uneven = cluster(three.slice(0, 2), [
      { name: "a.service", machineID: id(1), lines: "Weight=3" },
      { name: "b.service", machineID: id(2), lines: "Weight=2" },
    ]);
    expect(run(planRebalance(uneven, 10))).toEqual([]);
  });
  it.each([
    ["that stay", "Stay=true"],
    ["that are pinned to their machine", `MachineID=${id(1)}`],
    ["that follow others", "MachineOf=x.service"],
    ["that push others away", "Replaces=x*"],
  ])("leaves units %s where they are", (_what, lines) => {
    expect(run(planRebalance(cluster(three, unitsOnOne(lines)), 10))).toEqual([]);
  });
  it("leaves units that are not wanted, or on their way already, where they are", () => {
    const unwanted = unitsOnOne("").map((unit) => ({ ...unit, desiredState: "inactive" as const }));
    expect(run(planRebalance(cluster(three, unwanted), 10))).toEqual([]);
    const model = cluster(three, unitsOnOne("", 3));
    for (const n of [1, 2, 3]) happen(model, `u${n}.service`, { kind: "begin-move", to: id(2) });
    expect(run(planRebalance(model, 10))).toEqual([]);
  });
  it("moves a unit to a machine that it prefers, however much that carries, and never to one that it likes less", () => {
    const machines = [{ id: id(1) }, { id: id(2), metadata: { disk: "ssd" } }];
    const model = cluster(machines, [
      { name: "likes.service", machineID: id(1), lines: "PreferMetadata=disk=ssd" },
      ...[1, 2, 3].map((n) => ({ name: `stays${n}.service`, machineID: id(2), lines: "PreferMetadata=disk=ssd" })),
    ]);
    expect(run(planRebalance(model, 10))).toEqual([
      { unit: "likes.service", from: id(1), to: id(2), reason: "the machine is what the unit prefers" },
    ]);
  });
  it("weighs the first preference that differs, not a later one", () => {
    const machines = [{ id: id(1) }, { id: id(2), metadata: { disk: "ssd" } }];
    const model = cluster(machines, [
      { name: "a.service", machineID: id(1), lines: "PreferMetadata=disk=ssd\nPreferApart=x*" },
      { name: "x.service", machineID: id(2), lines: "Stay=true" },
    ]);
    expect(run(planRebalance(model, 10)).map(({ unit }) => unit)).toEqual(["a.service"]);
  });
  it("moves a unit for a later preference where the earlier ones make no difference", () => {
    const model = cluster(three.slice(0, 2), [
      { name: "a.service", machineID: id(1), lines: "PreferApart=x*" },
      { name: "x.service", machineID: id(1), lines: "Stay=true" },
      ...[1, 2, 3].map((n) => ({ name: `stays${n}.service`, machineID: id(2), lines: "Stay=true" })),
    ]);
    expect(run(planRebalance(model, 10)).map(({ unit, to }) => [unit, to])).toEqual([["a.service", id(2)]]);
  });
  it("leaves a unit that likes no machine where it is while that carries no more", () => {
    const lines = "PreferMetadata=disk=ssd";
    const model = cluster(three.slice(0, 2), [
      { name: "a.service", machineID: id(1), lines },
      { name: "b.service", machineID: id(2), lines },
    ]);
    expect(run(planRebalance(model, 10))).toEqual([]);
  });
  it("leaves a unit on a cordoned machine that it likes better than any other, however much that carries", () => {
    const machines = [{ id: id(1), metadata: { disk: "ssd" }, isCordoned: true }, { id: id(2) }];
    const units = [1, 2, 3].map((n) => ({ name: `u${n}.service`, machineID: id(1), lines: "PreferMetadata=disk=ssd" }));
    expect(run(planRebalance(cluster(machines, units), 10))).toEqual([]);
  });
  it("takes the heaviest machine first", () => {
    const model = cluster(
      [...three, { id: id(4) }],
      [
        ...[1, 2, 3].map((n) => ({ name: `a${n}.service`, machineID: id(1) })),
        ...[1, 2, 3, 4, 5].map((n) => ({ name: `b${n}.service`, machineID: id(2) })),
      ],
    );
    expect(run(planRebalance(model, 1)).map(({ unit, from }) => [unit, from])).toEqual([["b1.service", id(2)]]);
  });
  it("lets the caller do something else before each unit that it looks at", () => {
    const work = planRebalance(cluster(three, unitsOnOne("", 1)), 10);
    expect(work.next()).toEqual({ done: false, value: undefined });
    expect(work.next()).toEqual({ done: true, value: [] });
  });
  it("keeps every rule, on random clusters", () => {
    fc.assert(
      fc.property(clusterArbitrary, ([machines, units]) => {
        const model = cluster(machines, units);
        settle(model);
        const moves = run(planRebalance(model, 1000));
        for (const { unit, from, to } of moves) expect([unit, from]).not.toEqual([unit, to]);
        for (const unit of model.units.values()) {
          const { on: machineID } = unit;
          // Followers and replaced units are the engine's to move along; every other rule holds at once.
          if (machineID === null || unit.requirements.machineOf.length > 0) continue;
          expect(model.unfit(unit, machineID)).toBeNull();
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("where a unit would go", () => {
  const target = (lines: string, preferred: string | null = null) => {
    const model = cluster(three, [{ name: "a.service", machineID: id(1), lines }]);
    const unit = model.units.get("a.service");
    if (unit === undefined) throw new Error("there is no unit");
    return targetOf(model, unit, preferred);
  };
  it.each([
    ["is the least loaded other machine", "", null, id(2)],
    ["is the preferred one", "", id(3), id(3)],
    ["is never where it is", "", id(1), id(2)],
    ["is another where the preferred one does not fit", `MachineID=${id(2)}`, id(3), id(2)],
    ["is another where the preferred one is gone", "", id(9), id(2)],
    ["is nowhere where it fits only where it is", `MachineID=${id(1)}`, null, null],
  ])("%s", (_what, lines, preferred, to) => expect(target(lines, preferred)).toBe(to));
});

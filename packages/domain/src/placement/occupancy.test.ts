import { describe, expect, it } from "vitest";
import type { Whereabouts } from "../whereabouts/whereabouts.ts";
import { Occupancy, type Occupant } from "./occupancy.ts";
import { requirementsOf } from "./testing/clusters.ts";

describe("the places of units", () => {
  const on = (machine: string): Whereabouts => ({ kind: "placed", on: machine });
  const occupant = (name: string, lines: string, whereabouts: Whereabouts): Occupant => ({
    ...{ name, requirements: requirementsOf({ name, lines }), record: { whereabouts } },
  });
  function occupied(...units: readonly Occupant[]): Occupancy {
    const occupancy = new Occupancy();
    for (const unit of units) occupancy.use(unit.requirements);
    for (const unit of units) occupancy.add(unit);
    return occupancy;
  }
  it("are on the machine, and on the one that it is being moved to, with its weight", () => {
    const moving = occupant("a.service", "Weight=3", { kind: "moving", on: "m1", to: "m2" });
    const occupancy = occupied(moving, occupant("b.service", "", on("m1")));
    expect([[...occupancy.unitsOn("m1")], [...occupancy.unitsOn("m2")]]).toEqual([
      ["a.service", "b.service"],
      ["a.service"],
    ]);
    expect([occupancy.weightOn("m1"), occupancy.weightOn("m2"), occupancy.weightOn("m3")]).toEqual([4, 3, 0]);
    expect([...occupancy.movers]).toEqual([["a.service", "m2"]]);
    occupancy.remove(moving);
    expect([[...occupancy.unitsOn("m1")], [...occupancy.unitsOn("m2")]]).toEqual([["b.service"], []]);
    expect([occupancy.weightOn("m1"), occupancy.weightOn("m2"), occupancy.movers.size]).toEqual([1, 0, 0]);
  });
  it("may be in the way of units that conflict, in both directions", () => {
    const [plain, picky] = [occupant("a.service", "", on("m1")), occupant("p.service", "Conflicts=a*", on("m2"))];
    const occupancy = occupied(plain, picky, occupant("b.service", "", on("m3")));
    const asked = (unit: Occupant) => ["m1", "m2", "m3"].map((id) => occupancy.mayConflict(unit, id));
    expect(asked(picky)).toEqual([true, false, false]);
    expect(asked(plain)).toEqual([false, true, false]);
    expect(occupied(plain).mayConflict(plain, "m1")).toBe(false);
  });
  it("may be pushed away where one that replaces them is", () => {
    const occupancy = occupied(occupant("r.service", "Replaces=a*", on("m1")), occupant("a.service", "", on("m2")));
    expect(["m1", "m2"].map((id) => occupancy.mayBeReplaced("a.service", id))).toEqual([true, false]);
    expect(occupancy.mayBeReplaced("b.service", "m1")).toBe(false);
    expect(occupied().mayBeReplaced("a.service", "m1")).toBe(false);
  });
  it("have globs that tell units apart for which there may be room", () => {
    const one = occupied(occupant("c.service", "Conflicts=a*", on("m1")));
    const other = occupied(occupant("r.service", "Replaces=a*", on("m1")));
    const texts = [one.globsMatching("a.service"), other.globsMatching("a.service"), one.globsMatching("b.service")];
    expect(new Set(texts).size).toBe(3);
    expect(occupied().globsMatching("a.service")).toBe("");
  });
  it("do not mind what was asked for and is not any more", () => {
    const unit = occupant("p.service", "Conflicts=a*\nReplaces=b*\nPreferApart=c*", {
      kind: "nowhere",
      last: null,
      preferred: null,
    });
    const occupancy = occupied(unit, occupant("c.service", "", on("m1")));
    expect(occupancy.matchedOn("m1", "c*")).toBe(1);
    occupancy.drop(unit.requirements);
    expect([occupancy.globsMatching("a.service"), occupancy.matchedOn("m1", "c*")]).toEqual(["", 0]);
  });
  it("are known to globs that are used later, until they are given up", () => {
    const [unit, mover] = [
      occupant("a@1.service", "", on("m1")),
      occupant("a@2.service", "", { kind: "moving", on: "m2", to: "m3" }),
    ];
    const later = requirementsOf({ name: "l.service", lines: "PreferApart=a@*" });
    const occupancy = occupied(unit, mover);
    occupancy.use(later);
    expect(["m1", "m2", "m3"].map((id) => occupancy.matchedOn(id, "a@*"))).toEqual([1, 1, 1]);
    occupancy.drop(later);
    occupancy.remove(unit);
    occupancy.use(later);
    expect(["m1", "m2", "m3"].map((id) => occupancy.matchedOn(id, "a@*"))).toEqual([0, 1, 1]);
  });
});

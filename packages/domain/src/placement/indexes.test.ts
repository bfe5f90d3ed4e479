import { describe, expect, it } from "vitest";
import type { Whereabouts } from "../whereabouts/whereabouts.ts";
import { FreeRoom } from "./free-room.ts";
import { GlobIndex } from "./glob-index.ts";
import { MachineIndex } from "./machine-index.ts";
import { Occupancy, type Occupant } from "./occupancy.ts";
import { SpreadCounts } from "./spread-counts.ts";
import { id, requirementsOf } from "./testing/clusters.ts";
import { WorkQueue } from "./work-queue.ts";

describe("machines to try", () => {
  const M1 = id(1);
  const SAME_SHORT = `${M1.slice(0, 8)}${"0".repeat(24)}`;
  function index(): MachineIndex {
    const machines = new MachineIndex();
    machines.set(id(1), { a: "1", b: "1" }, 3);
    machines.set(id(2), { a: "1" }, 1);
    machines.set(id(3), { a: "2" }, 2);
    for (let n = 4; n <= 20; n++) machines.set(id(n), {}, n);
    return machines;
  }
  const wanted = (lines: string) => requirementsOf({ name: "u.service", lines }).metadata;
  const tried = (machines: MachineIndex, lines: string): readonly string[] => [...machines.candidates(wanted(lines))];
  it("are all, the least loaded first, where no metadata is asked for", () => {
    expect(tried(index(), "").slice(0, 4)).toEqual([id(2), id(3), id(1), id(4)]);
  });
  it.each([
    ["those with the value", "MachineMetadata=a=1", [id(2), id(1)]],
    ["those with the rarest of the values", "MachineMetadata=a=1\nMachineMetadata=b=1", [id(1)]],
    ["those with the rarest of the values, whichever comes first", "MachineMetadata=b=1\nMachineMetadata=a=1", [id(1)]],
    ["those with one of several values, in order", "MachineMetadata=a=1\nMachineMetadata=a=2", [id(2), id(3), id(1)]],
    ["none where no machine has the value", "MachineMetadata=a=3", []],
    ["none where no machine has the key", "MachineMetadata=a=1\nMachineMetadata=c=1", []],
  ])("are %s", (_what, lines, machines) => expect(tried(index(), lines)).toEqual(machines));
  it("are all where several values take in a good part of them", () => {
    const machines = index();
    for (let n = 4; n <= 6; n++) machines.set(id(n), { a: "2" }, n);
    expect(tried(machines, "MachineMetadata=a=1\nMachineMetadata=a=2")).toHaveLength(20);
  });
  it("are not those that are gone, or have other metadata", () => {
    const machines = index();
    machines.delete(id(2), { a: "1" });
    expect(tried(machines, "MachineMetadata=a=1")).toEqual([id(1)]);
    machines.delete(id(1), { a: "1", b: "1" });
    expect(tried(machines, "MachineMetadata=a=1")).toEqual([]);
    expect([machines.named(M1), machines.named(M1.slice(0, 8))]).toEqual([[], []]);
  });
  it("of an ID are that machine, of a short one those that have it, the least loaded first", () => {
    const machines = index();
    machines.set(SAME_SHORT, {}, 0);
    expect(machines.named(M1)).toEqual([M1]);
    expect(machines.named(M1.slice(0, 8))).toEqual([SAME_SHORT, M1]);
    expect(machines.named("none")).toEqual([]);
    machines.set(SAME_SHORT, {}, 9);
    expect(machines.named(M1.slice(0, 8))).toEqual([M1, SAME_SHORT]);
    machines.delete(M1, {});
    expect(machines.named(M1.slice(0, 8))).toEqual([SAME_SHORT]);
  });
});

describe("globs over placed units", () => {
  it("know machines with units that they match, whichever came first", () => {
    const placed = new Map([["a@1", "m1"]]);
    const globs = new GlobIndex(placed);
    expect([globs.isUnused, globs.matching("a@1")]).toEqual([true, []]);
    globs.use(["a@*", "b*"]);
    expect(globs.isUnused).toBe(false);
    expect([...globs.machinesMatched("a@*")]).toEqual([["m1", 1]]);
    globs.count("a@2", [], "m1", 1);
    globs.count("a@3", [], "m2", 1);
    expect([...globs.machinesMatched("a@*")]).toEqual([
      ["m1", 2],
      ["m2", 1],
    ]);
    globs.count("a@3", [], "m2", -1);
    expect([...globs.machinesMatched("a@*")]).toEqual([["m1", 2]]);
    expect([...globs.machinesMatched("b*")]).toEqual([]);
    expect([...globs.machinesMatched("unknown")]).toEqual([]);
  });
  it("know machines with units that have them", () => {
    const globs = new GlobIndex();
    globs.use(["x*"]);
    globs.count("a", ["x*"], "m1", 1);
    globs.count("b", ["x*"], "m1", 1);
    expect([...globs.machinesOwning("x*")]).toEqual([["m1", 2]]);
    globs.count("a", ["x*"], "m1", -1);
    globs.count("b", ["x*"], "m1", -1);
    expect([...globs.machinesOwning("x*"), ...globs.machinesOwning("y*")]).toEqual([]);
  });
  it("are known as long as a unit uses them", () => {
    const globs = new GlobIndex();
    globs.use(["a*"]);
    globs.use(["a*"]);
    expect(globs.matching("ab")).toEqual(["a*"]);
    globs.drop(["a*", "unknown"]);
    expect(globs.matching("ab")).toEqual(["a*"]);
    globs.use(["ab"]);
    expect(globs.matching("ab")).toEqual(["a*", "ab"]);
    globs.drop(["a*"]);
    expect(globs.matching("ab")).toEqual(["ab"]);
    globs.drop(["ab"]);
    expect([globs.isUnused, globs.matching("ab")]).toEqual([true, []]);
  });
});

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
});

it("units that are spread are counted by template, others by themselves, on each machine", () => {
  const counts = new SpreadCounts();
  for (const [name, machine] of [
    ["w@1.service", "m1"],
    ["w@2.service", "m1"],
    ["w@3.service", "m2"],
    ["x.service", "m1"],
  ] as const)
    counts.count(name, machine, 1);
  expect([...counts.of("w@9.service")]).toEqual([
    ["m1", 2],
    ["m2", 1],
  ]);
  expect([...counts.of("x.service")]).toEqual([["m1", 1]]);
  expect([...counts.of("y.service")]).toEqual([]);
  counts.count("w@3.service", "m2", -1);
  expect([...counts.of("w@9.service")]).toEqual([["m1", 2]]);
  counts.count("x.service", "m1", -1);
  expect([...counts.of("x.service")]).toEqual([]);
});

describe("units to look at", () => {
  const taken = (queue: WorkQueue): readonly (string | null)[] => [queue.take(), queue.take(), queue.take()];
  it("come by name, each once, and then there are none", () => {
    const queue = new WorkQueue();
    for (const name of ["b", "a", "b"]) queue.add(name);
    expect(queue.size).toBe(2);
    expect(taken(queue)).toEqual(["a", "b", null]);
    expect([queue.size, queue.take()]).toEqual([0, null]);
  });
  it("that are added meanwhile come behind those that were there", () => {
    const queue = new WorkQueue();
    for (const name of ["b", "c"]) queue.add(name);
    expect(queue.take()).toBe("b");
    queue.add("a");
    expect(queue.size).toBe(2);
    expect(taken(queue)).toEqual(["c", "a", null]);
  });
  it("do not come where they are gone before their turn", () => {
    const queue = new WorkQueue();
    for (const name of ["a", "b"]) queue.add(name);
    queue.delete("a");
    expect([queue.size, ...taken(queue)]).toEqual([1, "b", null, null]);
  });
});

it("a unit that fitted nowhere is not looked for until room may have come free, or other globs match its name", () => {
  const room = new FreeRoom();
  const [one, other] = [requirementsOf({ name: "a.service" }), requirementsOf({ name: "b.service" })];
  expect(room.isNone(one, "g")).toBe(false);
  room.noteNone(one, "g");
  expect([room.isNone(one, "g"), room.isNone(one, "h"), room.isNone(other, "g")]).toEqual([true, false, false]);
  room.changed();
  expect(room.isNone(one, "g")).toBe(false);
});

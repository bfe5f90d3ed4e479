import { describe, expect, it } from "vitest";
import { ClusterModel, modelUnit } from "./cluster-model.ts";
import { plan } from "./plan.ts";
import { cluster, happen, id, put, requirementsOf, settle, type TestUnit, three } from "./testing/clusters.ts";

const machine = (n: number, metadata: Record<string, string> = {}) => ({
  id: id(n),
  metadata,
  primaryIP: "",
  version: "",
});

/** The units that may need a decision, in the order in which they come. */
function dirty(model: ClusterModel): readonly string[] {
  const names: string[] = [];
  for (let name = model.takeDirty(); name !== null; name = model.takeDirty()) names.push(name);
  return names;
}
/** A cluster that is at rest. */
function settled(machines: Parameters<typeof cluster>[0], units: readonly TestUnit[]): ClusterModel {
  const model = cluster(machines, units);
  settle(model);
  return model;
}

describe("a unit as the rules see it", () => {
  const seen = (name: string, more: object = {}) => {
    const whereabouts = { kind: "placed", on: id(1) } as const;
    const record = { hash: "h", desiredState: "launched", global: false, whereabouts, cause: null } as const;
    return modelUnit(name, { ...record, createRevision: 1, modRevision: 1, ...more }, requirementsOf({ name }));
  };
  it.each([
    ["is wanted when it is launched", "a.service", {}, true],
    ["is wanted when it is loaded", "a.service", { desiredState: "loaded" }, true],
    ["is not wanted when it is inactive", "a.service", { desiredState: "inactive" }, false],
    ["is not wanted on one machine when it is global", "a.service", { global: true }, false],
    ["is not wanted when it is a template", "a@.service", {}, false],
  ])("%s", (_what, name, more, isWanted) => expect(seen(name, more)).toMatchObject({ name, isWanted, on: id(1) }));
});

describe("a unit may need a decision", () => {
  it("when it is new, and not again when it comes back as it is", () => {
    const model = new ClusterModel();
    put(model, { name: "a.service" });
    const unit = model.units.get("a.service");
    expect([model.dirtyCount, dirty(model)]).toEqual([1, ["a.service"]]);
    if (unit === undefined) throw new Error("there is no unit");
    model.setUnit(unit.name, { ...unit.record, modRevision: 9 }, unit.requirements);
    expect(dirty(model)).toEqual([]);
    expect(model.units.get("a.service")?.record.modRevision).toBe(9);
  });
  it.each([
    ["when its desired state is another", { desiredState: "inactive" as const }],
    ["when it becomes global", { global: true }],
    ["when it is elsewhere", { whereabouts: { kind: "placed" as const, on: id(2) } }],
  ])("%s", (_what, more) => {
    const model = settled(three, [{ name: "a.service", machineID: id(1) }]);
    const unit = model.units.get("a.service");
    if (unit === undefined) throw new Error("there is no unit");
    model.setUnit(unit.name, { ...unit.record, ...more }, unit.requirements);
    expect(dirty(model)).toEqual(["a.service"]);
  });
  it("when it asks for something else", () => {
    const model = settled(three, [{ name: "a.service", machineID: id(1) }]);
    put(model, { name: "a.service", machineID: id(1), lines: "Weight=2" });
    expect(dirty(model)).toEqual(["a.service"]);
    expect(model.loadOf(id(1))).toBe(2);
  });
  it("when its machine comes, changes or goes, and no other does", () => {
    const model = settled(three, [
      { name: "a.service", machineID: id(1) },
      { name: "b.service", machineID: id(2) },
    ]);
    model.setMachine(machine(1, { a: "1" }), 1);
    expect(dirty(model)).toEqual(["a.service"]);
    model.deleteMachine(id(1));
    expect(dirty(model)).toEqual(["a.service"]);
    model.deleteMachine(id(9));
    expect(dirty(model)).toEqual([]);
  });
  it("when it waits and a machine comes, is free again, or global units change", () => {
    const model = settled(three, [{ name: "a.service", lines: "MachineMetadata=x=1" }]);
    model.setMachine(machine(4), 1);
    expect(dirty(model)).toEqual(["a.service"]);
    model.setCordon(id(4), { drain: false });
    expect(dirty(model)).toEqual([]);
    model.setCordon(id(4), null);
    expect(dirty(model)).toEqual(["a.service"]);
    model.setCordon(id(4), null);
    expect(dirty(model)).toEqual([]);
    model.setGlobal({ name: "g.service", requirements: requirementsOf({ name: "g.service" }), createRevision: 1 });
    expect(dirty(model)).toEqual(["a.service"]);
    model.deleteGlobal("g.service");
    expect(dirty(model)).toEqual(["a.service"]);
    model.deleteGlobal("g.service");
    expect(dirty(model)).toEqual([]);
  });
  it("when it waits and another leaves a machine", () => {
    const model = settled(three, [
      { name: "a.service", lines: "MachineMetadata=x=1" },
      { name: "b.service", machineID: id(1) },
    ]);
    happen(model, "b.service", { kind: "place", on: id(2) });
    expect(dirty(model)).toEqual(["a.service", "b.service"]);
    model.deleteUnit("b.service");
    expect(dirty(model)).toEqual(["a.service"]);
    model.deleteUnit("b.service");
    expect(dirty(model)).toEqual([]);
  });
  it("when what it follows goes elsewhere, or is gone; not when that only sets out", () => {
    const model = settled(three, [{ name: "a.service", lines: "MachineOf=b.service" }, { name: "b.service" }]);
    const at = model.units.get("b.service")?.on;
    expect(model.units.get("a.service")?.on).toBe(at);
    happen(model, "b.service", { kind: "begin-move", to: id(3) });
    expect(dirty(model)).toEqual(["b.service"]);
    happen(model, "b.service", { kind: "finish-move" });
    expect(dirty(model)).toEqual(["a.service", "b.service"]);
    model.deleteUnit("b.service");
    expect(dirty(model)).toEqual(["a.service"]);
  });
  it("not when what it followed once goes elsewhere", () => {
    const model = settled(three, [{ name: "a.service", lines: "MachineOf=b.service" }, { name: "b.service" }]);
    put(model, { name: "a.service", machineID: id(1) });
    settle(model);
    happen(model, "b.service", { kind: "place", on: id(3) });
    expect(dirty(model)).toEqual(["b.service"]);
  });
  it("when one that replaces it comes to its machine, or sets out for it", () => {
    const model = settled(three, [
      { name: "a.service", machineID: id(1) },
      { name: "b.service", machineID: id(2) },
      { name: "r.service", machineID: id(3), lines: "Replaces=a* b*" },
    ]);
    happen(model, "r.service", { kind: "place", on: id(1) });
    expect(dirty(model)).toEqual(["a.service", "r.service"]);
    happen(model, "r.service", { kind: "begin-move", to: id(2) });
    expect(dirty(model)).toEqual(["b.service", "r.service"]);
  });
  it("when a ring of units that replaced each other opens", () => {
    const model = settled(
      [{ id: id(1) }],
      [
        { name: "a.service", lines: "Replaces=b.service", machineID: id(1) },
        { name: "b.service", lines: "Replaces=a.service", machineID: id(1) },
      ],
    );
    put(model, { name: "b.service", machineID: id(1) });
    expect(settle(model)).toEqual(
      new Map([
        ["a.service", id(1)],
        ["b.service", null],
      ]),
    );
    put(model, { name: "b.service", lines: "Replaces=a.service" });
    expect(settle(model).get("b.service")).toBe(id(1));
  });
  const ring = (): ClusterModel =>
    settled(
      [{ id: id(1) }, { id: id(2) }],
      [
        { name: "a.service", lines: "Replaces=b.service", machineID: id(1) },
        { name: "b.service", lines: "Replaces=c.service", machineID: id(1) },
        { name: "c.service", lines: "Replaces=a.service", machineID: id(2) },
      ],
    );
  it("when a ring of three opens elsewhere, by another version or by the end of a unit", () => {
    const changed = ring();
    put(changed, { name: "c.service", machineID: id(2) });
    expect(dirty(changed)).toEqual(["b.service", "c.service"]);
    const shorter = ring();
    shorter.deleteUnit("c.service");
    expect(dirty(shorter)).toEqual(["b.service"]);
  });
  it("not when a ring stays closed by another version", () => {
    const model = ring();
    put(model, { name: "c.service", machineID: id(2), lines: "Replaces=a.service x.service" });
    expect(dirty(model)).toEqual(["c.service"]);
  });
  it("not when one that replaces others comes to its machine, or changes on its way there", () => {
    const model = settled(three, [
      { name: "r.service", machineID: id(3), lines: "Replaces=a* b*" },
      { name: "y.service", machineID: id(1) },
      { name: "z.service", machineID: id(2) },
      { name: "b.service", machineID: id(2) },
    ]);
    happen(model, "r.service", { kind: "place", on: id(1) });
    expect(dirty(model)).toEqual(["r.service"]);
    happen(model, "r.service", { kind: "begin-move", to: id(2) });
    expect(dirty(model)).toEqual(["b.service", "r.service"]);
    const unit = model.units.get("r.service");
    if (unit === undefined) throw new Error("there is no unit");
    model.setUnit(unit.name, { ...unit.record, desiredState: "loaded" }, unit.requirements);
    expect(dirty(model)).toEqual(["r.service"]);
  });
  it("not when it waits and another comes, or changes where it is", () => {
    const model = settled(three, [{ name: "a.service", lines: "MachineMetadata=x=1" }]);
    put(model, { name: "b.service", machineID: id(1) });
    expect(dirty(model)).toEqual(["b.service"]);
    put(model, { name: "b.service", machineID: id(1), desiredState: "loaded" });
    expect(dirty(model)).toEqual(["b.service"]);
    put(model, { name: "c.service", desiredState: "inactive" });
    expect(dirty(model)).toEqual(["c.service"]);
    model.deleteUnit("c.service");
    expect(dirty(model)).toEqual([]);
  });
  it("with all that follow the same, as soon as that is known, and not when it is gone itself", () => {
    const model = settled(
      three,
      ["a", "c", "d"].map((name) => ({ name: `${name}.service`, lines: "MachineOf=b.service" })),
    );
    put(model, { name: "b.service", desiredState: "inactive" });
    expect(dirty(model)).toEqual(["a.service", "b.service", "c.service", "d.service"]);
    model.deleteUnit("c.service");
    expect(dirty(model)).toEqual([]);
    put(model, { name: "b.service", machineID: id(2) });
    expect(dirty(model)).toEqual(["a.service", "b.service", "d.service"]);
  });
  it("when somebody says so, if it is known", () => {
    const model = settled(three, [{ name: "a.service" }, { name: "b.service", desiredState: "inactive" }]);
    model.markDirty("a.service");
    model.markDirty("unknown.service");
    expect(dirty(model)).toEqual(["a.service"]);
    model.markAllDirty();
    expect(dirty(model)).toEqual(["a.service"]);
    put(model, { name: "b.service", desiredState: "inactive", machineID: id(1) });
    dirty(model);
    model.markAllDirty();
    expect(dirty(model)).toEqual(["a.service", "b.service"]);
  });
  it("no more when it is destroyed", () => {
    const model = cluster(three, [{ name: "a.service" }, { name: "b.service" }]);
    model.deleteUnit("a.service");
    expect([model.dirtyCount, dirty(model)]).toEqual([1, ["b.service"]]);
  });
});

describe("what a model knows", () => {
  it("of its machines", () => {
    const model = cluster(three, []);
    model.setMachine(machine(4, { a: "1" }), 7);
    expect([model.machineCount, [...model.machineIDs]]).toEqual([4, [id(1), id(2), id(3), id(4)]]);
    expect([model.machine(id(4)), model.machine(id(9))]).toEqual([machine(4, { a: "1" }), null]);
    expect([model.machineRevision(id(4)), model.machineRevision(id(9))]).toEqual([7, null]);
    expect([...model.order]).toEqual([id(1), id(2), id(3), id(4)]);
    expect(model.loadOf(id(9))).toBe(0);
    model.deleteMachine(id(4));
    expect([model.machineCount, [...model.order]]).toEqual([3, [id(1), id(2), id(3)]]);
  });
  it("of cordons", () => {
    const model = cluster(three, []);
    for (const [n, drain] of [
      [3, true],
      [1, true],
      [2, false],
      [9, true],
    ] as const)
      model.setCordon(id(n), { drain });
    expect(model.draining).toEqual([id(1), id(3)]);
    expect([1, 2, 4].map((n) => model.isCordoned(id(n)))).toEqual([true, true, false]);
  });
  it("of units that wait, are on their way or are leaving", () => {
    const model = cluster(three, [
      { name: "waits.service" },
      { name: "template@.service" },
      ...["d", "c", "b", "a"].map((name) => ({ name: `${name}.service`, machineID: id(1) })),
    ]);
    expect([model.hasMoving, model.hasLeaving, model.moving, model.leaving]).toEqual([false, false, [], []]);
    for (const name of ["b.service", "a.service"]) happen(model, name, { kind: "begin-move", to: id(2) });
    for (const name of ["d.service", "c.service"]) happen(model, name, { kind: "leave", preferred: id(2) });
    expect([model.hasMoving, model.hasLeaving]).toEqual([true, true]);
    expect([model.moving, model.leaving]).toEqual([
      ["a.service", "b.service"],
      ["c.service", "d.service"],
    ]);
    expect([...model.waiting].sort()).toEqual(["c.service", "d.service", "waits.service"]);
    expect([model.unitsOn(id(1)), model.unitsOn(id(2)), model.unitsOn(id(3))]).toEqual([
      ...[["a.service", "b.service"], ["a.service", "b.service"], []],
    ]);
    happen(model, "c.service", { kind: "left" });
    model.deleteUnit("d.service");
    model.deleteUnit("waits.service");
    expect([model.leaving, [...model.waiting]]).toEqual([[], ["c.service"]]);
  });
  it("of a machine that is not there: nothing fits it", () => {
    const model = cluster(three, [{ name: "a.service" }]);
    const unit = model.units.get("a.service");
    expect(unit && model.unfit(unit, id(9))).toEqual({ kind: "machine-id", wanted: id(9) });
  });
  it("of global units that run on a machine, as its load and as neighbours", () => {
    const model = cluster([{ id: id(1), metadata: { a: "1" } }, { id: id(2) }], []);
    const requirements = requirementsOf({
      name: "g.service",
      lines: "Global=true\nMachineMetadata=a=1\nConflicts=u*\nWeight=3",
    });
    model.setGlobal({ name: "g.service", requirements, createRevision: 1 });
    expect([model.loadOf(id(1)), model.loadOf(id(2))]).toEqual([3, 0]);
    put(model, { name: "u.service" });
    const unit = model.units.get("u.service");
    expect(unit && model.unfit(unit, id(1))).toEqual({ kind: "conflict", with: "g.service" });
    put(model, { name: "u.service", machineID: id(1) });
    expect(model.loadOf(id(1))).toBe(1);
    model.deleteUnit("u.service");
    expect(model.loadOf(id(1))).toBe(3);
    model.deleteGlobal("g.service");
    expect(model.loadOf(id(1))).toBe(0);
  });
});

describe("the choice of a machine", () => {
  const choose = (model: ClusterModel, name: string): string | null => {
    const unit = model.units.get(name);
    if (unit === undefined) throw new Error(`there is no ${name}`);
    return model.choose(unit);
  };
  it("is the machine that was asked for, or one of its short ID that fits", () => {
    const twin = `${id(1).slice(0, 8)}${"0".repeat(24)}`;
    const model = cluster(
      [...three, { id: twin, isCordoned: true }],
      [{ name: "a.service", lines: `MachineID=${id(1).slice(0, 8)}` }],
    );
    expect(choose(model, "a.service")).toBe(id(1));
  });
  it("is the last one, unless that is gone or does not fit any more", () => {
    const model = cluster(
      [...three, { id: id(4), isCordoned: true }],
      [
        { name: "a.service", last: id(3) },
        { name: "b.service", last: id(9) },
        { name: "c.service", last: id(4) },
      ],
    );
    expect(["a", "b", "c"].map((name) => choose(model, `${name}.service`))).toEqual([id(3), id(1), id(1)]);
  });
  it("is the one of what is followed, and none while that is nowhere", () => {
    const model = cluster(three, [
      { name: "a.service", lines: "MachineOf=p.service" },
      { name: "b.service", lines: "MachineOf=q.service" },
      { name: "p.service", machineID: id(2) },
      { name: "q.service" },
    ]);
    expect([choose(model, "a.service"), choose(model, "b.service")]).toEqual([id(2), null]);
  });
  it("is none, again and again, until room comes free", () => {
    const model = cluster(
      [{ id: id(1) }],
      [
        { name: "a@1.service", lines: "Conflicts=a@*", machineID: id(1) },
        { name: "a@2.service", lines: "Conflicts=a@*" },
      ],
    );
    expect([choose(model, "a@2.service"), choose(model, "a@2.service")]).toEqual([null, null]);
    happen(model, "a@1.service", { kind: "unplace" });
    expect(choose(model, "a@2.service")).toBe(id(1));
  });
  it.each<[what: string, change: (model: ClusterModel) => void]>([
    ["comes with a machine that has what is asked for", (model) => model.setMachine(machine(4, { x: "1" }), 1)],
    ["comes with metadata of a machine that is there", (model) => model.setMachine(machine(1, { x: "1" }), 1)],
  ])("%s", (_what, change) => {
    const model = cluster(three, [{ name: "a.service", lines: "MachineMetadata=x=1" }]);
    expect(choose(model, "a.service")).toBeNull();
    change(model);
    expect(choose(model, "a.service")).not.toBeNull();
  });
  it("comes with the end of a cordon", () => {
    const model = cluster([{ id: id(1), isCordoned: true }], [{ name: "a.service" }]);
    expect(choose(model, "a.service")).toBeNull();
    model.setCordon(id(1), null);
    expect(choose(model, "a.service")).toBe(id(1));
  });
  it("comes with the end of a global unit in the way", () => {
    const model = cluster(
      [{ id: id(1) }],
      [{ name: "g.service", lines: "Global=true\nConflicts=a*" }, { name: "a.service" }],
    );
    expect(choose(model, "a.service")).toBeNull();
    model.deleteGlobal("g.service");
    expect(choose(model, "a.service")).toBe(id(1));
  });
  it("comes with a ring of units that closes", () => {
    const model = cluster(
      [{ id: id(1) }],
      [
        { name: "a.service", lines: "Replaces=b.service", machineID: id(1) },
        { name: "b.service", lines: "Replaces=c.service" },
      ],
    );
    expect(choose(model, "b.service")).toBeNull();
    put(model, { name: "c.service", lines: "Replaces=a.service", desiredState: "inactive" });
    expect(choose(model, "b.service")).toBe(id(1));
  });
  it("is never a machine that does not fit, however much that is preferred", () => {
    const machines = [{ id: id(1), metadata: { x: "1" }, isCordoned: true }, { id: id(2) }];
    expect(choose(cluster(machines, [{ name: "a.service", lines: "PreferMetadata=x=1" }]), "a.service")).toBe(id(2));
  });
  it("is none for a unit that follows one that is not known", () => {
    expect(choose(cluster(three, [{ name: "a.service", lines: "MachineOf=b.service" }]), "a.service")).toBeNull();
  });
  it("is of equals among those that are preferred the first", () => {
    const model = cluster(three, [{ name: "a.service", lines: "PreferMetadata=x=1" }]);
    expect(choose(model, "a.service")).toBe(id(1));
    expect(plan(model, 1)).toMatchObject([{ to: id(1) }]);
  });
});

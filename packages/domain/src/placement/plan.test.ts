import { describe, expect, it } from "vitest";
import { CAUSES, eventOf, plan } from "./plan.ts";
import { cluster, happen, id, put, settle, three } from "./testing/clusters.ts";
import { explainWaiting } from "./waiting.ts";

describe("placing", () => {
  it("takes the least loaded machine that fits, ties by ID", () => {
    const placed = settle(
      cluster(three, [{ name: "a.service" }, { name: "b.service" }, { name: "c.service" }, { name: "d.service" }]),
    );
    expect([...placed.values()]).toEqual([id(1), id(2), id(3), id(1)]);
  });
  it("counts global units as load", () => {
    const model = cluster(
      [{ id: id(1), metadata: { a: "1" } }, { id: id(2) }],
      [{ name: "g.service", lines: "Global=true\nMachineMetadata=a=1" }, { name: "u.service" }],
    );
    expect(settle(model).get("u.service")).toBe(id(2));
  });
  it("leaves inactive units, templates and global units alone", () => {
    const placed = settle(
      cluster(three, [
        { name: "a.service", desiredState: "inactive" },
        { name: "t@.service" },
        { name: "g.service", lines: "Global=true" },
      ]),
    );
    expect([...placed.values()]).toEqual([null, null, null]);
  });
  it("takes a unit that is inactive off its machine", () => {
    const model = cluster(three, [{ name: "a.service", desiredState: "inactive", machineID: id(1) }]);
    expect(plan(model, 10)).toEqual([{ name: "a.service", from: id(1), to: null, reason: CAUSES.notWanted }]);
  });
  it("prefers the machine that a new version was freed from", () => {
    expect(settle(cluster(three, [{ name: "a.service", last: id(3) }])).get("a.service")).toBe(id(3));
  });
  it("counts weights as load, those of global units too", () => {
    const placed = settle(
      cluster(
        [{ id: id(1) }, { id: id(2) }],
        [
          { name: "a.service", lines: "Weight=3" },
          { name: "b.service" },
          { name: "c.service" },
          { name: "d.service", lines: "Weight=0" },
        ],
      ),
    );
    expect([...placed.values()]).toEqual([id(1), id(2), id(2), id(2)]);
  });
  it("takes bounds on metadata: numbers as numbers, and what is not there as different", () => {
    const model = cluster(
      [
        { id: id(1), metadata: { cores: "4" } },
        { id: id(2), metadata: { cores: "16", zone: "a" } },
        { id: id(3), metadata: { cores: "many" } },
      ],
      [
        { name: "big.service", lines: "MachineMetadata=cores>=10" },
        { name: "small.service", lines: "MachineMetadata=cores<=9.5" },
        { name: "else.service", lines: "MachineMetadata=zone!=a\nMachineMetadata=cores!=4" },
      ],
    );
    expect(Object.fromEntries(settle(model))).toEqual({
      "big.service": id(2),
      "small.service": id(1),
      "else.service": id(3),
    });
  });
  it("prefers without insisting", () => {
    const machines = [{ id: id(1) }, { id: id(2), metadata: { disk: "ssd" } }];
    const lines = "PreferMetadata=disk=ssd";
    expect(
      settle(
        cluster(machines, [
          { name: "a.service", lines },
          { name: "b.service", lines },
        ]),
      ),
    ).toEqual(
      new Map([
        ["a.service", id(2)],
        ["b.service", id(2)],
      ]),
    );
    expect(settle(cluster([{ id: id(1) }], [{ name: "a.service", lines }])).get("a.service")).toBe(id(1));
    const apart = "PreferApart=w@*";
    const many = [1, 2, 3].map((n) => ({ name: `w@${n}.service`, lines: apart }));
    expect([...settle(cluster(machines, [...many, { name: "x.service", machineID: id(2) }])).values()]).toEqual([
      id(1),
      id(2),
      id(1),
      id(2),
    ]);
  });
  it("spreads the instances of a template evenly over the values of a key", () => {
    const machines = [
      { id: id(1), metadata: { zone: "a" } },
      { id: id(2), metadata: { zone: "a" } },
      { id: id(3), metadata: { zone: "a" } },
      { id: id(4), metadata: { zone: "b" } },
      { id: id(5) },
    ];
    const units = Array.from({ length: 6 }, (_, n) => ({ name: `w@${n}.service`, lines: "Spread=zone" }));
    const zones = [...settle(cluster(machines, units)).values()].map(
      (machine) => machines.find((entry) => entry.id === machine)?.metadata?.zone,
    );
    expect(zones.filter((zone) => zone === "a")).toHaveLength(3);
    expect(zones.filter((zone) => zone === "b")).toHaveLength(3);
  });
  it("gives cordoned machines nothing new, and takes nothing away from them", () => {
    const model = cluster(
      [{ id: id(1), isCordoned: true }, { id: id(2) }],
      [
        { name: "a.service", machineID: id(1) },
        { name: "b.service" },
        { name: "c.service", lines: `MachineID=${id(1)}` },
      ],
    );
    expect([...settle(model).values()]).toEqual([id(1), id(2), null]);
    expect(explainWaiting(model, "c.service")?.reasons).toContainEqual({
      ...{ machines: 1, reason: "it is cordoned" },
      examples: [id(1)],
    });
    model.setCordon(id(1), null);
    expect(settle(model).get("c.service")).toBe(id(1));
  });
  it("knows a machine by its short ID", () => {
    expect(
      settle(cluster(three, [{ name: "a.service", lines: `MachineID=${id(2).slice(0, 8)}` }])).get("a.service"),
    ).toBe(id(2));
  });
});

describe("moving", () => {
  it("moves units of a machine that is gone, each in one decision, and no others", () => {
    const model = cluster(three, [
      { name: "a.service", machineID: id(1) },
      { name: "b.service", machineID: id(2) },
    ]);
    settle(model);
    model.deleteMachine(id(1));
    expect(plan(model, 10)).toEqual([{ name: "a.service", from: id(1), to: id(3), reason: CAUSES.machineGone(id(1)) }]);
  });
  it("moves a whole chain of followers with its head", () => {
    const model = cluster(three, [
      { name: "a.service", lines: `MachineID=${id(1)}` },
      { name: "b.service", lines: "MachineOf=a.service" },
      { name: "c.service", lines: "MachineOf=b.service" },
    ]);
    expect(new Set(settle(model).values())).toEqual(new Set([id(1)]));
    put(model, { name: "a.service", lines: `MachineID=${id(3)}` }, 2);
    expect(new Set(settle(model).values())).toEqual(new Set([id(3)]));
  });
  it("still moves a follower that was written anew with the same target", () => {
    const model = cluster(
      [{ id: id(1) }],
      [{ name: "b.service", lines: "MachineOf=c.service" }, { name: "c.service" }],
    );
    settle(model);
    const placed = model.units.get("b.service")?.on ?? null;
    put(model, { name: "b.service", lines: "MachineOf=c.service", machineID: placed }, 2);
    settle(model);
    put(model, { name: "c.service", lines: "MachineMetadata=a=1", machineID: id(1) }, 3);
    expect([...settle(model).values()]).toEqual([null, null]);
  });
  it("leaves two units that follow each other unscheduled", () => {
    const placed = settle(
      cluster(three, [
        { name: "a.service", lines: "MachineOf=b.service" },
        { name: "b.service", lines: "MachineOf=a.service" },
      ]),
    );
    expect([...placed.values()]).toEqual([null, null]);
  });
  it("pushes a neighbour away, and ignores Replaces among units that replace each other, in pairs and in rings", () => {
    const model = cluster(
      [{ id: id(1) }, { id: id(2) }],
      [
        { name: "old.service", machineID: id(1) },
        { name: "x.service", machineID: id(2) },
      ],
    );
    put(model, { name: "new.service", lines: "Replaces=old*" });
    const placed = settle(model);
    expect([placed.get("new.service"), placed.get("old.service")]).toEqual([id(1), id(2)]);
    const ring = cluster(
      [{ id: id(1) }, { id: id(2) }],
      [
        { name: "a.service", lines: "Replaces=b.service" },
        { name: "b.service", lines: "Replaces=c.service" },
        { name: "c.service", lines: "Replaces=a.service" },
      ],
    );
    expect([...settle(ring).values()].every((machine) => machine !== null)).toBe(true);
  });
  it("follows metadata that changes", () => {
    const model = cluster(three, [{ name: "a.service", lines: "MachineMetadata=z=1" }]);
    expect(settle(model).get("a.service")).toBeNull();
    model.setMachine({ id: id(2), metadata: { z: "1" }, primaryIP: "", version: "" }, 1);
    expect(settle(model).get("a.service")).toBe(id(2));
    model.setMachine({ id: id(2), metadata: {}, primaryIP: "", version: "" }, 1);
    expect(settle(model).get("a.service")).toBeNull();
  });
  it("gives a place that came free to a unit that waited for it", () => {
    const model = cluster(
      [{ id: id(1) }],
      [
        { name: "a@1.service", lines: "Conflicts=a@*" },
        { name: "a@2.service", lines: "Conflicts=a@*" },
      ],
    );
    expect([...settle(model).values()]).toEqual([id(1), null]);
    model.deleteUnit("a@1.service");
    expect(settle(model).get("a@2.service")).toBe(id(1));
  });
  it("keeps a global unit where it runs before one that conflicts with it", () => {
    const model = cluster(
      [{ id: id(1), metadata: { g: "1" } }, { id: id(2) }],
      [{ name: "g.service", lines: "Global=true\nMachineMetadata=g=1\nConflicts=u*" }],
    );
    put(model, { name: "x.service", machineID: id(2) });
    put(model, { name: "u.service" }, 2);
    expect(settle(model).get("u.service")).toBe(id(2));
  });
});

describe("moving on request", () => {
  it("counts a unit that is on its way on both machines, at once and until it has arrived", () => {
    const model = cluster(three.slice(0, 2), [
      { name: "a@1.service", lines: "Conflicts=a@*", machineID: id(1) },
      { name: "b.service", machineID: id(2) },
    ]);
    settle(model);
    const unit = model.units.get("a@1.service");
    if (unit === undefined) throw new Error("no unit");
    model.assume(unit, { kind: "begin-move", to: id(2) });
    expect([model.loadOf(id(1)), model.loadOf(id(2))]).toEqual([1, 2]);
    put(model, { name: "a@2.service" });
    expect(settle(model).get("a@2.service")).toBeNull();
    happen(model, "a@1.service", { kind: "finish-move" });
    expect(settle(model).get("a@2.service")).toBe(id(1));
    expect([model.loadOf(id(1)), model.loadOf(id(2))]).toEqual([1, 2]);
  });
  it("gives the room back where a unit on its way turns back", () => {
    const model = cluster(three.slice(0, 2), [{ name: "a@1.service", lines: "Conflicts=a@*", machineID: id(1) }]);
    settle(model);
    const unit = model.units.get("a@1.service");
    if (unit === undefined) throw new Error("no unit");
    model.assume(unit, { kind: "begin-move", to: id(2) });
    put(model, { name: "a@2.service" });
    expect(settle(model).get("a@2.service")).toBeNull();
    model.setUnit("a@1.service", unit.record, unit.requirements);
    expect(settle(model).get("a@2.service")).toBe(id(2));
  });
  it("gives a unit that was freed for it the machine it was freed for, and says why; another one where that is taken", () => {
    const model = cluster(three, [{ name: "taken.service", machineID: id(3) }]);
    const freed = (name: string, lines = ""): void => {
      put(model, { name, lines, machineID: id(2) });
      happen(model, name, { kind: "leave", preferred: id(3) }, { kind: "left" });
      const unit = model.units.get(name);
      if (unit === undefined) return;
      model.setUnit(name, { ...unit.record, cause: "its machine is being drained" }, unit.requirements);
    };
    freed("a.service");
    freed("b.service", "Conflicts=taken.service");
    expect(plan(model, 10)).toEqual([
      { name: "a.service", from: null, to: id(3), reason: "its machine is being drained" },
      { name: "b.service", from: null, to: id(1), reason: CAUSES.leastLoaded },
    ]);
  });
});

describe("a plan", () => {
  const some = ["a", "b", "c"].map((name) => ({ name: `${name}.service` }));
  const named = (decisions: readonly { readonly name: string }[]) => decisions.map(({ name }) => name);
  it("makes as many decisions as are asked for, and leaves the rest for the next", () => {
    const model = cluster(three, some);
    expect(named(plan(model, 0))).toEqual([]);
    expect(named(plan(model, 2))).toEqual(["a.service", "b.service"]);
    expect(named(plan(model, 2))).toEqual(["c.service"]);
    expect(named(plan(model, 2))).toEqual([]);
  });
  it("counts decisions, not units that it looks at", () => {
    const model = cluster(three, [{ name: "a.service", lines: "MachineID=none" }, { name: "b.service" }]);
    expect(named(plan(model, 1))).toEqual(["b.service"]);
  });
  it("ends where it may not go on, and goes on from there the next time", () => {
    const model = cluster(three, some);
    const answers = [true, false];
    expect(named(plan(model, 10, undefined, () => answers.shift() ?? false))).toEqual(["a.service"]);
    expect(named(plan(model, 10))).toEqual(["b.service", "c.service"]);
  });
  it("leaves units alone that a decision is on its way for", () => {
    const model = cluster(three, some);
    expect(named(plan(model, 10, (name) => name === "b.service"))).toEqual(["a.service", "c.service"]);
  });
  it("decides on a unit once: one that is pushed away by a later decision waits for the next plan", () => {
    const model = cluster(
      [{ id: id(1), metadata: { a: "1" } }, { id: id(2) }],
      [{ name: "c.service" }, { name: "e.service", lines: "Replaces=c*\nMachineMetadata=a=1" }],
    );
    expect(plan(model, 10)).toEqual([
      { name: "c.service", from: null, to: id(1), reason: CAUSES.leastLoaded },
      { name: "e.service", from: null, to: id(1), reason: CAUSES.leastLoaded },
    ]);
    expect(plan(model, 10)).toEqual([
      { name: "c.service", from: id(1), to: id(2), reason: "its machine no longer fits: e.service there replaces it" },
    ]);
    expect(plan(model, 10)).toEqual([]);
  });
  it("takes a unit that has become global off its machine", () => {
    const model = cluster(three, [{ name: "g.service", lines: "Global=true", machineID: id(1) }]);
    expect(plan(model, 10)).toEqual([{ name: "g.service", from: id(1), to: null, reason: CAUSES.global }]);
  });
  it("takes a unit off a machine that is gone, also where it fits nowhere else", () => {
    const model = cluster(three, [{ name: "a.service", machineID: id(9), lines: `MachineID=${id(9)}` }]);
    expect(plan(model, 10)).toEqual([
      { name: "a.service", from: id(9), to: null, reason: `its machine ${id(9)} is gone` },
    ]);
  });
  it("says of a unit that goes back to its last machine what it says of any", () => {
    const model = cluster(three, []);
    put(model, { name: "a.service", last: id(2) });
    const unit = model.units.get("a.service");
    if (unit === undefined) throw new Error("there is no unit");
    model.setUnit(unit.name, { ...unit.record, cause: "it was moved" }, unit.requirements);
    expect(plan(model, 10)).toEqual([{ name: "a.service", from: null, to: id(2), reason: CAUSES.leastLoaded }]);
  });
  it.each([
    ["takes a unit off", null, { kind: "unplace" }],
    ["gives it a machine", id(1), { kind: "place", on: id(1) }],
  ])("%s by what it decides", (_what, to, event) => {
    expect(eventOf({ name: "a.service", from: null, to, reason: "" })).toEqual(event);
  });
});

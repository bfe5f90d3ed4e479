import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesMachineID } from "../cluster/machine.ts";
import type { ClusterState } from "../cluster/state.ts";
import { parseUnitFile } from "../unit/file.ts";
import { globMatches } from "../unit/glob.ts";
import { isTemplateName, parseUnitName } from "../unit/name.ts";
import { type Requirements, readRequirements } from "../unit/requirements.ts";
import { change, type WhereaboutsEvent } from "../whereabouts/change.ts";
import { placesOf, type Whereabouts } from "../whereabouts/whereabouts.ts";
import { ClusterModel } from "./cluster-model.ts";
import { conflicts, globalsOn, meets, metadataFits } from "./fit.ts";
import { MachineOrder } from "./machine-order.ts";
import { plan, REASONS } from "./plan.ts";
import { planRebalance, targetOf } from "./rebalance.ts";
import { relocationsOf, staleMoves, type Underway } from "./relocations.ts";
import { explainWaiting, waitingText } from "./waiting.ts";

interface TestUnit {
  readonly name: string;
  readonly lines?: string;
  readonly desiredState?: "inactive" | "loaded" | "launched";
  readonly machineID?: string | null;
  readonly last?: string | null;
  readonly leaving?: string | null;
}
interface TestMachine {
  readonly id: string;
  readonly metadata?: Record<string, string>;
  readonly isCordoned?: boolean;
}

const id = (index: number): string => index.toString(16).padStart(8, "0").padEnd(32, "f");
const requirementsOf = ({ name, lines = "" }: TestUnit): Requirements =>
  readRequirements(name, parseUnitFile(`[X-Fleet]\n${lines}`));

function whereaboutsOf({ machineID = null, last = null, leaving = null }: TestUnit): Whereabouts {
  if (machineID !== null) return { kind: "placed", on: machineID };
  return leaving === null
    ? { kind: "nowhere", last, preferred: null }
    : { kind: "leaving", from: leaving, last, preferred: null };
}

/** Something happened to a unit that the registry tells of. */
function happen(model: ClusterModel, name: string, ...events: readonly WhereaboutsEvent[]): void {
  for (const event of events) {
    const unit = model.units.get(name);
    if (unit === undefined) throw new Error(`there is no ${name}`);
    const whereabouts = change(unit.record.whereabouts, event);
    model.setUnit(name, { ...unit.record, whereabouts }, unit.requirements);
  }
}

function put(model: ClusterModel, unit: TestUnit, revision = 1): void {
  const requirements = requirementsOf(unit);
  const desiredState = unit.desiredState ?? "launched";
  const record = {
    hash: "h",
    desiredState,
    global: requirements.global,
    whereabouts: whereaboutsOf(unit),
    cause: null,
  };
  model.setUnit(unit.name, { ...record, createRevision: revision, modRevision: revision }, requirements);
  if (requirements.global && desiredState !== "inactive")
    model.setGlobal({ name: unit.name, requirements, createRevision: revision });
}

function cluster(machines: readonly TestMachine[], units: readonly TestUnit[]): ClusterModel {
  const model = new ClusterModel();
  for (const { id, metadata = {}, isCordoned = false } of machines) {
    model.setMachine({ id, metadata, primaryIP: "", version: "" }, 1);
    if (isCordoned) model.setCordon(id, { drain: false });
  }
  for (const unit of units) put(model, unit);
  return model;
}

/** Plans until nothing is left to do; fails where that never comes. */
function settle(model: ClusterModel): Map<string, string | null> {
  for (let round = 0; model.dirtyCount > 0; round++) {
    plan(model, 1000);
    if (round > 50) throw new Error("the plan never comes to rest");
  }
  return new Map([...model.units].map(([name, { on }]) => [name, on]).sort() as [string, string | null][]);
}

const three = [{ id: id(1) }, { id: id(2) }, { id: id(3) }];

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
    expect(plan(model, 10)).toEqual([{ name: "a.service", from: id(1), to: null, reason: REASONS.notWanted }]);
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
    expect(plan(model, 10)).toEqual([
      { name: "a.service", from: id(1), to: id(3), reason: REASONS.machineGone(id(1)) },
    ]);
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
  const state = (moves: Record<string, { to: string; limit: number }>): ClusterState =>
    ({
      moves: new Map(Object.entries(moves).map(([name, move]) => [name, { ...move, reason: "even" }])),
    }) as unknown as ClusterState;
  const underway = (more: Partial<Underway> = {}): Underway => ({
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
    const [first, ...others] = relocationsOf(model, state({}), underway());
    expect([first?.unit, others]).toEqual(["b.service", []]);
    if (first === undefined) throw new Error("nothing to move");
    expect(relocationsOf(model, state({}), underway({ busy: new Map([["b.service", first]]) }))).toEqual([]);
    expect(
      relocationsOf(model, state({}), underway({ isResting: (unit) => unit === "b.service" })).map(({ unit }) => unit),
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
    expect(relocationsOf(model, state(moves), underway()).map(({ unit, preferred }) => [unit, preferred])).toEqual([
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
      { name: "b.service", from: null, to: id(1), reason: REASONS.leastLoaded },
    ]);
  });
  it("places a unit that is leaving a machine only when it has left it", () => {
    const model = cluster(three, []);
    put(model, { name: "a.service", machineID: id(1) });
    happen(model, "a.service", { kind: "leave", preferred: id(2) });
    expect(settle(model).get("a.service")).toBeNull();
    expect(relocationsOf(model, state({}), underway())).toMatchObject([
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
      relocationsOf(model, state({}), underway({ triedAt: (unit) => tried[unit] ?? 0 }))[0]?.unit;
    expect(next()).toBe("c.service");
    tried["c.service"] = 30;
    expect(next()).toBe("b.service");
  });
  it("finishes what another engine began", () => {
    const model = cluster(three, [{ name: "a.service", machineID: id(1) }]);
    happen(model, "a.service", { kind: "begin-move", to: id(3) });
    expect(relocationsOf(model, state({}), underway())).toMatchObject([
      { unit: "a.service", from: id(1), preferred: id(3) },
    ]);
  });
  const all = <T>(work: Generator<void, T>): T => {
    for (;;) {
      const { done, value } = work.next();
      if (done === true) return value;
    }
  };
  it("evens out only what gets better by it, and leaves what is to stay", () => {
    const model = cluster(three, [
      ...[1, 2, 3, 4, 5].map((n) => ({ name: `u${n}.service`, machineID: id(1) })),
      { name: "a-stay.service", machineID: id(1), lines: "Stay=true" },
      { name: "a-pin.service", machineID: id(1), lines: `MachineID=${id(1)}` },
    ]);
    const moves = all(planRebalance(model, 100));
    expect(moves.map(({ unit }) => unit)).toEqual(["u1.service", "u2.service", "u3.service", "u4.service"]);
    expect([1, 2, 3].map((n) => model.loadOf(id(n)))).toEqual([3, 2, 2]);
    expect(all(planRebalance(model, 100))).toEqual([]);
  });
  it("a rebalance keeps every rule, on random clusters", () => {
    fc.assert(
      fc.property(clusterArbitrary, ([machines, units]) => {
        const model = cluster(machines, units);
        settle(model);
        const moves = all(planRebalance(model, 1000));
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

describe("explaining", () => {
  it("counts machines by the reason why a unit can't be there", () => {
    const model = cluster(
      [{ id: id(1), metadata: { a: "1" } }, { id: id(2) }, { id: id(3) }],
      [
        { name: "x@1.service", machineID: id(1) },
        { name: "x@2.service", lines: "MachineMetadata=a=1\nConflicts=x@*" },
      ],
    );
    settle(model);
    const waiting = explainWaiting(model, "x@2.service");
    expect(waiting && waitingText(waiting)).toBe(
      "unit x@2.service fits none of 3 machines: 2: its metadata lacks a=1; 1: it conflicts with x@1.service there",
    );
    expect(explainWaiting(model, "x@1.service")).toBeNull();
  });
  it("says of units that follow each other that they do", () => {
    const model = cluster(three, [
      { name: "a.service", lines: "MachineOf=b.service" },
      { name: "b.service", lines: "MachineOf=a.service" },
    ]);
    settle(model);
    expect(explainWaiting(model, "a.service")?.reasons).toEqual([
      {
        ...{ machines: 3, reason: "it and b.service follow each other by MachineOf: remove one of the two" },
        examples: [id(1), id(2), id(3)],
      },
    ]);
  });
});

/** The rules, written as slowly and plainly as they can be: one unit after the other, each machine tried in order. */
function reference(machines: readonly TestMachine[], units: readonly TestUnit[]): Map<string, string | null> {
  const sorted = [...units].sort((a, b) => (a.name < b.name ? -1 : 1));
  const all = sorted.map((unit) => ({ name: unit.name, requirements: requirementsOf(unit), unit }));
  const globals = all
    .filter(({ requirements, unit }) => requirements.global && unit.desiredState !== "inactive")
    .map((entry) => ({ ...entry, createRevision: 1 }));
  const at = new Map<string, string | null>(all.map(({ name }) => [name, null]));
  const scheduled = (machine: string) => all.filter(({ name }) => at.get(name) === machine);
  const globalsAt = (machine: TestMachine) => globalsOn(globals, machine.metadata ?? {}, scheduled(machine.id));
  const pushes = (one: (typeof all)[number], other: (typeof all)[number]): boolean => {
    const edge = (a: (typeof all)[number], b: (typeof all)[number]): boolean =>
      a.name !== b.name && a.requirements.replaces.some((glob) => globMatches(glob, b.name));
    const reached = new Set([other]);
    for (const from of reached) for (const to of all) if (edge(from, to)) reached.add(to);
    return edge(one, other) && !reached.has(one);
  };
  const fits = (entry: (typeof all)[number], machine: TestMachine): boolean => {
    const { requirements } = entry;
    if (requirements.machineID !== null && !matchesMachineID(requirements.machineID, machine.id)) return false;
    if (!metadataFits(requirements, machine.metadata ?? {})) return false;
    if (machine.isCordoned === true && at.get(entry.name) !== machine.id) return false;
    for (const peer of requirements.machineOf) {
      const other = all.find(({ name }) => name === peer);
      if (other === undefined || at.get(peer) !== machine.id || other.requirements.machineOf.includes(entry.name))
        return false;
    }
    const there = scheduled(machine.id).filter(({ name }) => name !== entry.name);
    if ([...there, ...globalsAt(machine)].some((other) => conflicts(entry, other))) return false;
    return !there.some((other) => pushes(other, entry));
  };
  const place = (entry: (typeof all)[number]): boolean => {
    const before = at.get(entry.name) ?? null;
    const here = machines.find(({ id }) => id === before);
    if (here !== undefined && fits(entry, here)) return false;
    const weight = (entries: readonly { requirements: Requirements }[]): number =>
      entries.reduce((sum, { requirements }) => sum + requirements.weight, 0);
    const load = ({ id, ...rest }: TestMachine): number => weight(scheduled(id)) + weight(globalsAt({ id, ...rest }));
    const { preferences } = entry.requirements;
    const kin = all.filter(
      ({ name, requirements }) =>
        name !== entry.name &&
        requirements.preferences?.spread != null &&
        parseUnitName(name)?.template === parseUnitName(entry.name)?.template &&
        (parseUnitName(name)?.template ?? name) === (parseUnitName(entry.name)?.template ?? entry.name),
    );
    const dislike = (machine: TestMachine): number[] => {
      if (preferences === null) return [0, 0, 0];
      const metadata = machine.metadata ?? {};
      const key = preferences.spread;
      const valueAt = (id: string | null | undefined) =>
        key === null ? undefined : machines.find((other) => other.id === id)?.metadata?.[key];
      const crowd =
        key === null
          ? 0
          : metadata[key] === undefined
            ? 1e9
            : kin.filter(({ name }) => valueAt(at.get(name)) === metadata[key]).length;
      const others = scheduled(machine.id).filter(({ name }) => name !== entry.name);
      const near = preferences.apart.flatMap((glob) => others.filter(({ name }) => globMatches(glob, name))).length;
      return [preferences.metadata.filter((test) => !meets(test, metadata)).length, crowd, near];
    };
    const rank = (machine: TestMachine): number[] => [...dislike(machine), load(machine)];
    const order = machines
      .filter((machine) => fits(entry, machine))
      .map((machine) => ({ id: machine.id, rank: rank(machine) }))
      .sort((a, b) => {
        const index = a.rank.findIndex((value, place) => value !== b.rank[place]);
        return index >= 0 ? (a.rank[index] ?? 0) - (b.rank[index] ?? 0) : a.id < b.id ? -1 : 1;
      });
    at.set(entry.name, order[0]?.id ?? null);
    return at.get(entry.name) !== before;
  };
  const wanted = all.filter(
    ({ name, requirements, unit }) => !requirements.global && unit.desiredState !== "inactive" && !isTemplateName(name),
  );
  // A unit is decided on once a plan: one that is pushed away by a later one waits for the next, behind followers.
  for (let plans = 0; plans < 50; plans++) {
    const decided = new Set<string>();
    for (let before = -1; before < decided.size; ) {
      before = decided.size;
      for (const entry of wanted) if (!decided.has(entry.name) && place(entry)) decided.add(entry.name);
    }
    if (decided.size === 0) break;
  }
  return at;
}

const names = ["a@1", "a@2", "b@1", "b@2", "c", "d", "e"].map((name) => `${name}.service`);
const unitArbitrary = (name: string) =>
  fc.record({
    name: fc.constant(name),
    desiredState: fc.constantFrom("launched", "launched", "loaded", "inactive" as const),
    lines: fc.constantFrom(
      "",
      "",
      "MachineMetadata=a=1",
      "MachineMetadata=a=1\nMachineMetadata=a=2\nMachineMetadata=b=1",
      "Conflicts=a@*",
      "Conflicts=b@* c*",
      `MachineID=${id(1)}`,
      `MachineID=${id(2).slice(0, 8)}`,
      "MachineOf=c.service",
      "Replaces=c.service b@*",
      "Replaces=d*",
      "Global=true",
      "Global=true\nConflicts=d*",
      "Global=true\nMachineMetadata=a=2",
      "Global=true\nWeight=3",
      "Weight=2",
      "MachineMetadata=a!=1",
      "MachineMetadata=n>=5\nMachineMetadata=n<=9",
      "PreferMetadata=a=1\nPreferMetadata=b!=1",
      "PreferApart=b@* c*",
      "Spread=a",
      "Spread=a\nPreferApart=a@*\nWeight=4",
    ),
  });
const machineArbitrary = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 5 }).chain((ids) =>
  fc.tuple(
    ...ids.map((n) =>
      fc.record({
        id: fc.constant(id(n)),
        metadata: fc.constantFrom<Record<string, string>>(
          {},
          { a: "1" },
          { a: "2", b: "1" },
          { b: "1", n: "4" },
          { a: "1", n: "7" },
          { n: "many" },
        ),
        isCordoned: fc.constantFrom(false, false, false, true),
      }),
    ),
  ),
);
const clusterArbitrary = fc.tuple(machineArbitrary, fc.tuple(...names.map(unitArbitrary)));

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

it("keeps machines in order of load and ID, whatever happens to them", () => {
  const change = fc.tuple(
    fc.integer({ min: 0, max: 9 }).map(id),
    fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }),
  );
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const order = new MachineOrder();
      const plain = new Map<string, number>();
      for (const [machine, load] of changes) {
        if (load === null) {
          order.delete(machine);
          plain.delete(machine);
        } else {
          order.set(machine, load);
          plain.set(machine, load);
        }
      }
      expect([...order]).toEqual(
        [...plain].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([machine]) => machine),
      );
    }),
  );
});

import { describe, expect, it } from "vitest";
import type { Machine } from "../cluster/machine.ts";
import { type PlacedUnit, pushes, type Surroundings, type Unfit, unfitOn, unfitText } from "./rules.ts";
import { id, requirementsOf } from "./testing/clusters.ts";

const unit = (name: string, lines = "", on: string | null = null, isWanted = true): PlacedUnit => ({
  ...{ name, requirements: requirementsOf({ name, lines }), isWanted, on },
});

/** A cluster of these units in which nothing is left out of any answer. */
function around(
  units: readonly PlacedUnit[],
  cordons: Readonly<Record<string, { drain: boolean }>> = {},
  unreadable: string | null = null,
): Surroundings {
  const on = (machine: string): readonly PlacedUnit[] => units.filter((one) => one.on === machine);
  return {
    unit: (name) => units.find((one) => one.name === name),
    neighbours: (_unit, machine) => on(machine),
    pushers: (_unit, machine) => on(machine),
    cordon: (machine) => cordons[machine] ?? null,
    replacers: () => units.filter(({ requirements }) => requirements.replaces.length > 0),
    unreadablePeer: () => unreadable,
  };
}

const M1 = id(1);
const machine: Machine = { id: M1, primaryIP: "", metadata: { a: "1", n: "5" }, version: "" };

describe("on a machine", () => {
  type Row = [what: string, unit: PlacedUnit, others: readonly PlacedUnit[], unfit: Unfit | null];
  it.each<Row>([
    ["a unit that asks for nothing fits", unit("u.service"), [], null],
    ["a unit that asks for it fits", unit("u.service", `MachineID=${M1}`), [], null],
    [
      "a unit that asks for another does not fit",
      unit("u.service", "MachineID=x"),
      [],
      { kind: "machine-id", wanted: "x" },
    ],
    [
      "a unit that asks for its metadata fits",
      unit("u.service", "MachineMetadata=a=1\nMachineMetadata=n>=5"),
      [],
      null,
    ],
    [
      "a unit that asks for other metadata does not fit",
      unit("u.service", "MachineMetadata=a=2\nMachineMetadata=a=3"),
      [],
      { kind: "metadata", key: "a", values: ["2", "3"] },
    ],
    [
      "a unit whose bound it does not meet does not fit",
      unit("u.service", "MachineMetadata=n>=6"),
      [],
      { kind: "bound", bound: { key: "n", operator: ">=", value: "6" }, own: "5" },
    ],
    [
      "a unit with a bound on what it lacks does not fit",
      unit("u.service", "MachineMetadata=m>=6"),
      [],
      { kind: "bound", bound: { key: "m", operator: ">=", value: "6" }, own: null },
    ],
    [
      "a unit fits with the one that it follows",
      unit("u.service", "MachineOf=p.service"),
      [unit("p.service", "", M1)],
      null,
    ],
    [
      "a unit does not fit without the one that it follows",
      unit("u.service", "MachineOf=p.service"),
      [],
      { kind: "machine-of", peer: "p.service" },
    ],
    [
      "a unit does not fit where the one that it follows is elsewhere",
      unit("u.service", "MachineOf=p.service"),
      [unit("p.service", "", id(2))],
      { kind: "machine-of", peer: "p.service" },
    ],
    [
      "a unit does not fit where the one that it follows is about to go",
      unit("u.service", "MachineOf=p.service"),
      [unit("p.service", "", M1, false)],
      { kind: "machine-of", peer: "p.service" },
    ],
    [
      "a unit wants each of those that it follows",
      unit("u.service", "MachineOf=p.service q.service"),
      [unit("p.service", "", M1)],
      { kind: "machine-of", peer: "q.service" },
    ],
    [
      "units that follow each other do not fit",
      unit("u.service", "MachineOf=p.service"),
      [unit("p.service", "MachineOf=u.service", M1)],
      { kind: "mutual", peer: "p.service" },
    ],
    [
      "a unit does not fit with one that it conflicts with",
      unit("u.service", "Conflicts=c*"),
      [unit("c.service", "", M1)],
      { kind: "conflict", with: "c.service" },
    ],
    [
      "a unit does not fit with one that conflicts with it",
      unit("u.service"),
      [unit("c.service", "Conflicts=u*", M1)],
      { kind: "conflict", with: "c.service" },
    ],
    [
      "a unit fits where what it conflicts with is elsewhere",
      unit("u.service", "Conflicts=c*"),
      [unit("c.service", "", id(2))],
      null,
    ],
    [
      "a unit does not fit with one that replaces it",
      unit("u.service"),
      [unit("r.service", "Replaces=u*", M1)],
      { kind: "replaced", by: "r.service" },
    ],
    ["a unit fits with one that replaces others", unit("u.service"), [unit("r.service", "Replaces=x*", M1)], null],
    ["a unit fits with one that it replaces", unit("u.service", "Replaces=r*"), [unit("r.service", "", M1)], null],
    [
      "a unit is not in its own way",
      unit("u.service", "Replaces=u*", M1),
      [unit("u.service", "Replaces=u*", M1)],
      null,
    ],
  ])("%s", (_what, one, others, unfit) => expect(unfitOn(one, machine, around([one, ...others]))).toEqual(unfit));
  it.each([
    ["is cordoned, a new unit does not fit", false, null, { kind: "cordoned", isDraining: false }],
    ["is being drained, a new unit does not fit", true, null, { kind: "cordoned", isDraining: true }],
    ["is cordoned, a unit of another machine does not fit", false, id(2), { kind: "cordoned", isDraining: false }],
    ["is cordoned, a unit that is there stays", false, M1, null],
  ])("that %s", (_what, drain, on, unfit) => {
    expect(unfitOn(unit("u.service", "", on), machine, around([], { [M1]: { drain } }))).toEqual(unfit);
  });
});

describe("a unit pushes another away", () => {
  const one = unit("a.service", "Replaces=b.service");
  it.each<[what: string, one: PlacedUnit, other: PlacedUnit, others: readonly PlacedUnit[], isPushed: boolean]>([
    ["that it replaces", one, unit("b.service"), [], true],
    ["that replaces others", one, unit("b.service", "Replaces=x*"), [], true],
    [
      "in a line of them",
      one,
      unit("b.service", "Replaces=c.service"),
      [unit("c.service", "Replaces=d.service")],
      true,
    ],
    [
      "though others replace each other",
      one,
      unit("b.service", "Replaces=c.service"),
      [unit("c.service", "Replaces=b.service")],
      true,
    ],
    [
      "though others further on replace each other",
      one,
      unit("b.service", "Replaces=c.service"),
      [unit("c.service", "Replaces=d.service"), unit("d.service", "Replaces=c.service")],
      true,
    ],
    [
      "though one replaces it that the other does not replace",
      one,
      unit("b.service", "Replaces=x.service"),
      [unit("c.service", "Replaces=a.service")],
      true,
    ],
    ["but not one that it does not replace", one, unit("c.service"), [], false],
    ["but not itself", unit("a.service", "Replaces=*"), unit("a.service", "Replaces=*"), [], false],
    ["but not where they replace each other", one, unit("b.service", "Replaces=a.service"), [], false],
    [
      "but not in a ring of three",
      one,
      unit("b.service", "Replaces=c.service"),
      [unit("c.service", "Replaces=a.service")],
      false,
    ],
    [
      "but not in a ring of four, with others in it",
      one,
      unit("b.service", "Replaces=c.service x.service"),
      [
        unit("x.service", "Replaces=y.service"),
        unit("c.service", "Replaces=d.service"),
        unit("d.service", "Replaces=a.service"),
      ],
      false,
    ],
  ])("%s", (_what, first, other, others, isPushed) => {
    expect(pushes(first, other, around([first, other, ...others]))).toBe(isPushed);
  });
});

describe("the reason in words", () => {
  const bound = { key: "n", operator: ">=", value: "6" } as const;
  it.each<[Unfit, string]>([
    [{ kind: "machine-id", wanted: "x" }, "its ID is not MachineID=x"],
    [{ kind: "machine-of", peer: "p.service" }, "MachineOf=p.service is not scheduled there"],
    [{ kind: "mutual", peer: "p.service" }, "it and p.service follow each other by MachineOf: remove one of the two"],
    [{ kind: "metadata", key: "a", values: ["1"] }, "its metadata lacks a=1"],
    [{ kind: "metadata", key: "a", values: ["1", "2"] }, "its metadata lacks a=1 or a=2"],
    [{ kind: "bound", bound, own: "5" }, "its metadata has n=5, not n>=6"],
    [{ kind: "bound", bound, own: null }, "its metadata has no n, not n>=6"],
    [{ kind: "cordoned", isDraining: false }, "it is cordoned"],
    [{ kind: "cordoned", isDraining: true }, "it is being drained"],
    [{ kind: "conflict", with: "c.service" }, "it conflicts with c.service there"],
    [{ kind: "replaced", by: "r.service" }, "r.service there replaces it"],
  ])("%j", (unfit, text) => expect(unfitText(unfit)).toBe(text));
});

it("a unit that depends on one whose record can't be read stays where it is, and fits nowhere else", () => {
  const lines = "MachineOf=w.service\nConflicts=x@*";
  const cluster = around([unit("x@1.service", "", M1)], {}, "w.service");
  expect(unfitOn(unit("u.service", lines, M1), machine, cluster)).toBeNull();
  const unfit = unfitOn(unit("u.service", lines), machine, cluster);
  expect(unfit).toEqual({ kind: "unreadable", peer: "w.service" });
  expect(unfit && unfitText(unfit)).toBe("the record of w.service, on which it depends, can't be read");
  expect(unfitOn(unit("u.service", "MachineMetadata=a=2", M1), machine, cluster)).toMatchObject({ kind: "metadata" });
});

import { describe, expect, it } from "vitest";
import type { Whereabouts } from "../whereabouts/whereabouts.ts";
import { Occupancy, type Occupant } from "./occupancy.ts";
import { compareScores, type Score, scoreOf } from "./score.ts";
import { requirementsOf } from "./testing/clusters.ts";

const on = (machine: string): Whereabouts => ({ kind: "placed", on: machine });
const NOWHERE: Whereabouts = { kind: "nowhere", last: null, preferred: null };
const METADATA: Readonly<Record<string, Record<string, string>>> = {
  ...{ m1: { zone: "a" }, m2: { zone: "a" }, m3: { zone: "b" }, m4: {} },
};

function occupant(name: string, lines: string, whereabouts: Whereabouts): Occupant {
  return { name, requirements: requirementsOf({ name, lines }), record: { whereabouts } };
}

/** The scores of the machines for a unit among others, all with load 7. */
function scores(unit: Occupant, others: readonly Occupant[], ...machines: readonly string[]): readonly Score[] {
  const occupancy = new Occupancy();
  for (const one of [unit, ...others]) {
    occupancy.use(one.requirements);
    occupancy.add(one);
  }
  const view = { occupancy, metadataOf: (id: string) => METADATA[id] };
  return machines.map((id) => scoreOf(unit, id, 7, view));
}

describe("the score of a machine", () => {
  it("is its load for a unit without preferences, and where it is gone", () => {
    expect(scores(occupant("u.service", "", NOWHERE), [], "m1")).toEqual([[0, 0, 0, 7]]);
    expect(scores(occupant("u.service", "PreferMetadata=zone=a", NOWHERE), [], "m9")).toEqual([[0, 0, 0, 7]]);
  });
  it("counts the preferences that it does not meet", () => {
    const unit = occupant("u.service", "PreferMetadata=zone=a\nPreferMetadata=zone!=b", NOWHERE);
    expect(scores(unit, [], "m1", "m3", "m4")).toEqual([
      ...([
        [0, 0, 0, 7],
        [2, 0, 0, 7],
        [1, 0, 0, 7],
      ] as const),
    ]);
  });
  it("counts the units there that the unit is to be apart from, itself aside", () => {
    const others = [
      occupant("w@2.service", "", on("m1")),
      occupant("x.service", "", on("m1")),
      occupant("w@3.service", "", on("m2")),
    ];
    const unit = (whereabouts: Whereabouts) => occupant("w@1.service", "PreferApart=w@* x*", whereabouts);
    expect(scores(unit(on("m2")), others, "m1", "m2", "m3").map(([, , apart]) => apart)).toEqual([2, 1, 0]);
    expect(scores(unit(NOWHERE), others, "m1", "m2", "m3").map(([, , apart]) => apart)).toEqual([2, 1, 0]);
  });
  it("leaves the unit in the count of a glob that does not match it", () => {
    const unit = occupant("u.service", "PreferApart=x*", on("m1"));
    expect(scores(unit, [occupant("x.service", "", on("m1"))], "m1")[0]?.[2]).toBe(1);
  });
  it("counts units of the same template over machines with the same value, itself aside", () => {
    const lines = "Spread=zone";
    const others = [
      ...[occupant("w@2.service", lines, on("m1")), occupant("w@3.service", lines, on("m2"))],
      ...[occupant("w@4.service", lines, on("m3")), occupant("v@1.service", lines, on("m3"))],
      ...[
        occupant("w@5.service", "", on("m3")),
        occupant("w@6.service", lines, on("m4")),
        occupant("w@7.service", lines, on("m9")),
      ],
    ];
    const spread = (whereabouts: Whereabouts) =>
      scores(occupant("w@1.service", lines, whereabouts), others, "m1", "m2", "m3").map(([, count]) => count);
    expect(spread(NOWHERE)).toEqual([2, 2, 1]);
    expect(spread(on("m1"))).toEqual([2, 2, 1]);
    expect(spread({ kind: "moving", on: "m1", to: "m3" })).toEqual([2, 2, 1]);
    expect(scores(occupant("w@1.service", lines, NOWHERE), others, "m4")[0]?.[1]).toBe(Number.MAX_SAFE_INTEGER);
  });
  it("takes no names of JavaScript for keys of metadata", () => {
    expect(scores(occupant("u.service", "Spread=constructor", NOWHERE), [], "m1")[0]?.[1]).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });
});

describe("two scores are compared", () => {
  it.each<[what: string, one: Score, other: Score, sign: number]>([
    ["as equal where they are", [1, 2, 3, 4], [1, 2, 3, 4], 0],
    ["by the first that differs", [0, 9, 9, 9], [1, 0, 0, 0], -1],
    ["by the second where the first is equal", [1, 3, 0, 0], [1, 2, 9, 9], 1],
    ["by the third where the first two are equal", [1, 2, 0, 9], [1, 2, 1, 0], -1],
    ["by load at last", [1, 2, 3, 5], [1, 2, 3, 4], 1],
  ])("%s", (_what, one, other, sign) => expect(Math.sign(compareScores(one, other))).toBe(sign));
});

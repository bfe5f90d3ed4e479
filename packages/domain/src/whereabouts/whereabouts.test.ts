import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Keys } from "../cluster/keys.ts";
import type { Op } from "../cluster/op.ts";
import { decodeUnit, encodeSchedule, encodeUnit, type UnitRecord } from "../cluster/records.ts";
import { canChange, change, ImpossibleChangeError, type WhereaboutsEvent } from "./change.ts";
import { recordOps, scheduleOps } from "./schedule-ops.ts";
import {
  firstChoice,
  lastOf,
  NOWHERE,
  placesOf,
  sameWhereabouts,
  scheduledTo,
  type Whereabouts,
} from "./whereabouts.ts";

const placed: Whereabouts = { kind: "placed", on: "m1" };
const moving: Whereabouts = { kind: "moving", on: "m1", to: "m2" };
const leaving: Whereabouts = { kind: "leaving", from: "m1", last: "m1", preferred: "m2" };
const freed: Whereabouts = { kind: "nowhere", last: "m1", preferred: "m2" };

const EVENTS: Readonly<Record<WhereaboutsEvent["kind"], WhereaboutsEvent>> = {
  place: { kind: "place", on: "m3" },
  unplace: { kind: "unplace" },
  "new-version": { kind: "new-version" },
  "begin-move": { kind: "begin-move", to: "m3" },
  "finish-move": { kind: "finish-move" },
  "cancel-move": { kind: "cancel-move" },
  leave: { kind: "leave", preferred: "m3" },
  left: { kind: "left" },
};

describe("what can happen to where a unit is", () => {
  it.each<[string, Whereabouts, Partial<Record<WhereaboutsEvent["kind"], Whereabouts>>]>([
    [
      "a unit that is nowhere",
      freed,
      { place: { kind: "placed", on: "m3" }, unplace: NOWHERE, "new-version": NOWHERE },
    ],
    [
      "a unit that is placed",
      placed,
      {
        place: { kind: "placed", on: "m3" },
        unplace: NOWHERE,
        "new-version": { kind: "nowhere", last: "m1", preferred: null },
        "begin-move": { kind: "moving", on: "m1", to: "m3" },
        leave: { kind: "leaving", from: "m1", last: "m1", preferred: "m3" },
      },
    ],
    [
      "a unit that is moving",
      moving,
      {
        place: { kind: "placed", on: "m3" },
        unplace: NOWHERE,
        "new-version": { kind: "nowhere", last: "m1", preferred: null },
        "begin-move": { kind: "moving", on: "m1", to: "m3" },
        "finish-move": { kind: "placed", on: "m2" },
        "cancel-move": { kind: "placed", on: "m1" },
        leave: { kind: "leaving", from: "m1", last: "m1", preferred: "m3" },
      },
    ],
    [
      "a unit that is leaving, which a new version does not forget",
      leaving,
      { unplace: NOWHERE, "new-version": { kind: "leaving", from: "m1", last: null, preferred: null }, left: freed },
    ],
  ])("%s", (_what, whereabouts, allowed) => {
    for (const event of Object.values(EVENTS)) {
      const after = allowed[event.kind];
      expect(canChange(whereabouts, event), event.kind).toBe(after !== undefined);
      if (after === undefined) expect(() => change(whereabouts, event)).toThrow(ImpossibleChangeError);
      else expect(change(whereabouts, event), event.kind).toEqual(after);
    }
  });
  it("a unit can't be moved to where it is", () => {
    expect(canChange(placed, { kind: "begin-move", to: "m1" })).toBe(false);
  });
});

describe("where a unit is", () => {
  it("was last on the machine that is noted, while it is on none", () => {
    expect([freed, leaving, NOWHERE, placed, moving].map(lastOf)).toEqual(["m1", "m1", null, null, null]);
  });
  it("is the same as another exactly where all of it is the same", () => {
    const all: readonly Whereabouts[] = [
      ...[NOWHERE, { ...freed, last: "m3" }, { ...freed, preferred: "m3" }, freed, placed, { ...placed, on: "m2" }],
      ...[moving, { ...moving, on: "m3" }, { ...moving, to: "m3" }, leaving, { ...leaving, from: "m3" }],
      ...[
        { ...leaving, last: "m3" },
        { ...leaving, preferred: "m3" },
      ],
    ];
    for (const [index, one] of all.entries())
      for (const [place, other] of all.entries())
        expect(sameWhereabouts(one, { ...other }), JSON.stringify([one, other])).toBe(index === place);
  });
  it("takes its place on its machine, and on the one that it is being moved to", () => {
    expect([NOWHERE, placed, moving, leaving].map(placesOf)).toEqual([[], ["m1"], ["m1", "m2"], []]);
    expect([NOWHERE, placed, moving, leaving].map(scheduledTo)).toEqual([null, "m1", "m1", null]);
  });
  it("is tried first on the machine that it was freed for, then on its last one", () => {
    expect([freed, { ...freed, preferred: null }, NOWHERE, placed, leaving].map(firstChoice)).toEqual([
      ...["m2", "m1", null, null, null],
    ]);
  });
});

const id = fc.constantFrom("m1", "m2", "m3");
const maybe = fc.option(id, { nil: null });
const whereaboutsArbitrary: fc.Arbitrary<Whereabouts> = fc.oneof(
  fc.record({ kind: fc.constant("nowhere" as const), last: maybe, preferred: maybe }),
  fc.record({ kind: fc.constant("placed" as const), on: id }),
  fc.record({ kind: fc.constant("moving" as const), on: id, to: id }).filter(({ on, to }) => on !== to),
  fc.record({ kind: fc.constant("leaving" as const), from: id, last: maybe, preferred: maybe }),
);
const recordArbitrary: fc.Arbitrary<UnitRecord> = fc.record({
  hash: fc.constantFrom("h1", "h2"),
  desiredState: fc.constantFrom("inactive", "loaded", "launched"),
  global: fc.boolean(),
  whereabouts: whereaboutsArbitrary,
  cause: fc.option(fc.constantFrom("its machine is gone", ""), { nil: null }),
});

/** What the version before this one had in memory, and how it wrote it: its members, null where they are absent. */
interface FormerRecord {
  readonly hash: string;
  readonly desiredState: string;
  readonly machineID: string | null;
  readonly global: boolean;
  readonly lastMachineID: string | null;
  readonly leaving: string | null;
  readonly wish: string | null;
  readonly movingTo: string | null;
  readonly cause: string | null;
}
const formerText = (record: FormerRecord): string =>
  JSON.stringify({
    hash: record.hash,
    desiredState: record.desiredState,
    machineID: record.machineID ?? undefined,
    global: record.global || undefined,
    lastMachineID: record.lastMachineID ?? undefined,
    leaving: record.leaving ?? undefined,
    wish: record.wish ?? undefined,
    movingTo: record.movingTo ?? undefined,
    cause: record.cause ?? undefined,
  });
/** Every combination that the version before wrote. */
const formerArbitrary: fc.Arbitrary<FormerRecord> = fc
  .record({
    hash: fc.constant("h1"),
    desiredState: fc.constantFrom("inactive", "loaded", "launched"),
    global: fc.boolean(),
    cause: fc.option(fc.string({ minLength: 1 }), { nil: null }),
  })
  .chain((plain) =>
    fc
      .oneof(
        fc.record({ machineID: id, movingTo: maybe }).filter(({ machineID, movingTo }) => machineID !== movingTo),
        fc.record({ leaving: maybe, lastMachineID: maybe, wish: maybe }),
      )
      .map((members) => ({
        ...plain,
        ...{ machineID: null, movingTo: null, lastMachineID: null, leaving: null, wish: null },
        ...members,
      })),
  );

describe("records in etcd", () => {
  it("read and written again are what the version before wrote, to the byte", () => {
    fc.assert(
      fc.property(formerArbitrary, (former) => {
        const text = formerText(former);
        const record = decodeUnit(text);
        expect(record).not.toBeNull();
        if (record !== null) expect(encodeUnit(record)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });
  it("hold what they were written from", () => {
    fc.assert(
      fc.property(recordArbitrary, (record) => {
        expect(decodeUnit(encodeUnit(record))).toEqual(record);
      }),
    );
  });
  it("with a move to where the unit is are those of a unit that is there", () => {
    expect(decodeUnit('{"hash":"h","desiredState":"loaded","machineID":"m1","movingTo":"m1"}')?.whereabouts).toEqual(
      placed,
    );
  });
  it("are the same whereabouts exactly where they are written alike", () => {
    fc.assert(
      fc.property(recordArbitrary, whereaboutsArbitrary, (record, other) => {
        const isSame = encodeUnit(record) === encodeUnit({ ...record, whereabouts: other });
        expect(sameWhereabouts(record.whereabouts, other)).toBe(isSame);
      }),
    );
  });
});

describe("what agents are told", () => {
  const keys = new Keys("/f/");
  const apply = (entries: ReadonlyMap<string, string>, ops: readonly Op[]): Map<string, string> => {
    const after = new Map(entries);
    for (const op of ops) {
      if ("put" in op) after.set(op.put, op.value);
      else if ("delete" in op) after.delete(op.delete);
    }
    return after;
  };
  const wanted = (record: UnitRecord | null): Map<string, string> => {
    if (record === null || record.desiredState === "inactive") return new Map();
    const places = record.global ? ["/f/global/a"] : placesOf(record.whereabouts).map((on) => `/f/schedule/${on}/a`);
    return new Map(places.map((key) => [key, encodeSchedule(record)]));
  };
  it("is an entry at each machine that the unit takes its place on and nowhere else, after any change", () => {
    const optional = fc.option(recordArbitrary, { nil: null });
    fc.assert(
      fc.property(optional, optional, (before, after) => {
        const entries = apply(wanted(before), scheduleOps(keys, "a", before, after));
        expect(Object.fromEntries(entries)).toEqual(Object.fromEntries(wanted(after)));
      }),
      { numRuns: 2_000 },
    );
  });
  it.each([{ desiredState: "inactive" as const }, { global: true }])(
    "a record by another hand that names a machine for no reason: its entry goes with it: %j",
    (odd) => {
      const plain = { hash: "h", desiredState: "launched", global: false, cause: null } as const;
      const before: UnitRecord = { ...plain, ...odd, whereabouts: placed };
      const gone = { delete: keys.schedule("m1", "a") };
      expect(scheduleOps(keys, "a", before, { ...before, whereabouts: NOWHERE })).toContainEqual(gone);
      expect(scheduleOps(keys, "a", before, null)).toContainEqual(gone);
    },
  );
  it("is taken back at both machines where a unit on its way is destroyed", () => {
    const record: UnitRecord = { hash: "h", desiredState: "launched", global: false, whereabouts: moving, cause: null };
    expect(scheduleOps(keys, "a", record, null)).toEqual([
      { delete: "/f/schedule/m1/a" },
      { delete: "/f/schedule/m2/a" },
    ]);
  });
  it("is not said again where it is the same", () => {
    const record: UnitRecord = { hash: "h", desiredState: "launched", global: false, whereabouts: placed, cause: null };
    expect(scheduleOps(keys, "a", record, { ...record, cause: "it fits" })).toEqual([]);
    expect(scheduleOps(keys, "a", record, { ...record, whereabouts: moving })).toEqual([
      { put: "/f/schedule/m2/a", value: encodeSchedule(record) },
    ]);
  });
  it("goes with the record, once for each key", () => {
    fc.assert(
      fc.property(recordArbitrary, recordArbitrary, (before, after) => {
        const ops = recordOps(keys, "a", before, after);
        expect(ops[0]).toEqual({ put: "/f/units/a", value: encodeUnit(after) });
        const touched = ops.map((op) => ("put" in op ? op.put : "delete" in op ? op.delete : op.get));
        expect(new Set(touched).size).toBe(touched.length);
      }),
    );
  });
});

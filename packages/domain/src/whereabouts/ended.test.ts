import { describe, expect, it } from "vitest";
import { Keys } from "../cluster/keys.ts";
import { decodeUnit, encodeUnit, type UnitRecord } from "../cluster/records.ts";
import { ClusterState } from "../cluster/state.ts";
import { planUnitChange } from "../cluster/unit-change.ts";
import { hasEnded, recordAfter, sameEnd, staleEnded } from "./ended.ts";
import { scheduleOps } from "./schedule-ops.ts";
import { NOWHERE } from "./whereabouts.ts";

const keys = new Keys("/f/");
const RECORD: UnitRecord = {
  hash: "h",
  desiredState: "launched",
  global: false,
  whereabouts: { kind: "placed", on: "m1" },
  cause: null,
};
const NAME = "a.service";
const holding = (values: Readonly<Record<string, string>>): ClusterState => {
  const state = new ClusterState(keys);
  for (const [key, value] of Object.entries(values)) state.put({ key, value, createRevision: 1, modRevision: 1 });
  return state;
};
const ENDED = { [keys.ended("m1", NAME)]: '{"hash":"h"}' };

describe("a oneshot has ended", () => {
  const ask = { rerun: false, global: false };
  it.each<[when: string, record: UnitRecord, asks: { rerun: boolean; global: boolean }, hasIt: boolean]>([
    ["where its machine says so of this version", RECORD, ask, true],
    ["not for one that is to run anew", RECORD, { ...ask, rerun: true }, false],
    ["not for a global unit", RECORD, { ...ask, global: true }, false],
    ["not in another version", { ...RECORD, hash: "g" }, ask, false],
    ["not where another machine said so", { ...RECORD, whereabouts: { kind: "placed", on: "m2" } }, ask, false],
    ["not where it is nowhere", { ...RECORD, whereabouts: NOWHERE }, ask, false],
  ])("%s", (_when, record, asks, hasIt) => expect(hasEnded(holding(ENDED), NAME, record, asks)).toBe(hasIt));
});

describe("a oneshot that has ended and leaves its machine", () => {
  it.each([
    ["for another", { kind: "place", on: "m2" } as const],
    ["until it is placed anew", { kind: "leave", preferred: "m2" } as const],
    ["by way of both", { kind: "begin-move", to: "m2" } as const],
    ["for no other", { kind: "unplace" } as const],
  ])("%s is only loaded from then on", (_how, event) => {
    const after = recordAfter(RECORD, event, true);
    expect(after.ended).toBe(true);
    const puts = scheduleOps(keys, NAME, RECORD, after).flatMap((op) => ("put" in op ? [op.value] : []));
    for (const value of puts) expect(JSON.parse(value)).toEqual({ hash: "h", desiredState: "loaded" });
    expect(decodeUnit(encodeUnit(after))).toEqual(after);
  });
  it("stays ended on every further way", () => {
    const left = recordAfter(recordAfter(RECORD, { kind: "leave", preferred: "m2" }, true), { kind: "left" }, false);
    const placed = recordAfter(left, { kind: "place", on: "m2" }, false);
    expect([left.ended, placed.ended]).toEqual([true, true]);
    expect(scheduleOps(keys, NAME, left, placed)).toEqual([
      { put: keys.schedule("m2", NAME), value: '{"hash":"h","desiredState":"loaded"}' },
    ]);
  });
  it("is not ended where it stays, and where it has not ended", () => {
    expect(recordAfter(RECORD, { kind: "place", on: "m1" }, true).ended).toBeUndefined();
    expect(recordAfter(RECORD, { kind: "place", on: "m2" }, false).ended).toBeUndefined();
  });
  it("runs once more when a client stops and starts it", () => {
    const known = (record: UnitRecord) => ({ record: { ...record, createRevision: 1, modRevision: 1 }, text: null });
    const ended: UnitRecord = { ...RECORD, ended: true };
    const stopped = planUnitChange(
      keys,
      { kind: "set", name: NAME, options: null, desiredState: "loaded" },
      known(ended),
    );
    expect(stopped.ops).toContainEqual({ delete: keys.ended("m1", NAME) });
    const [written] = stopped.ops.flatMap((op) => ("put" in op && op.put === keys.unit(NAME) ? [op.value] : []));
    const record = decodeUnit(written ?? "");
    expect([record?.desiredState, record?.ended]).toEqual(["loaded", undefined]);
  });
});

it("notes of oneshots that say nothing any more are found, and no others", () => {
  const note = (id: string, name: string, hash = "h") => ({ [keys.ended(id, name)]: `{"hash":"${hash}"}` });
  const state = holding({
    [keys.unit(NAME)]: encodeUnit(RECORD),
    [keys.unit("x.service")]: '{"hash":"h","desiredState":"paused"}',
    ...note("m1", "gone.service"),
    ...note("m2", NAME),
    ...note("m1", NAME),
    ...note("m1", "x.service"),
  });
  expect(staleEnded(state)).toMatchObject([
    { machineID: "m2", name: NAME },
    { machineID: "m1", name: "gone.service" },
  ]);
  state.put({ key: keys.unit(NAME), value: encodeUnit({ ...RECORD, hash: "g" }), createRevision: 1, modRevision: 2 });
  expect(staleEnded(state)).toMatchObject([
    { machineID: "m1", name: NAME },
    { machineID: "m2", name: NAME },
    { machineID: "m1", name: "gone.service" },
  ]);
});

describe("a unit that leaves its machine", () => {
  const note = { [keys.ended("m1", NAME)]: '{"hash":"h"}' };
  it("does so only while what is noted of its end there is what is known", () => {
    const key = keys.ended("m1", NAME);
    expect(sameEnd(keys, holding({}), NAME, RECORD)).toEqual({ key, modRevision: 0 });
    expect(sameEnd(keys, holding(note), NAME, RECORD)).toEqual({ key, modRevision: 1 });
  });
  it("has nothing to be noted where it is nowhere, or was not started, nor anything known that can't be read", () => {
    expect(sameEnd(keys, holding(note), NAME, { ...RECORD, whereabouts: NOWHERE })).toBeNull();
    expect(sameEnd(keys, holding(note), NAME, { ...RECORD, desiredState: "loaded" })).toBeNull();
    expect(sameEnd(keys, holding({ [keys.ended("m1", NAME)]: "{broken" }), NAME, RECORD)).toBeNull();
  });
});

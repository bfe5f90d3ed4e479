import { expect, it } from "vitest";
import { type Call, Consistency } from "../faults/consistency.ts";

const U = "a.service";
/** Calls of a session, each with when it began and ended. */
function call(kind: Call["kind"], value: string | null, startedAt: number, endedAt: number, session = "one"): Call {
  return { session, unit: U, value, kind, startedAt, endedAt, acknowledged: true };
}

/** A unit that had these values one after the other, each asked for at ten times its place. */
function held(...values: readonly (string | null)[]): Consistency {
  const held = new Consistency();
  for (const [index, value] of values.entries()) {
    held.asks(U, value, 10 * index);
    held.version(U, index + 1, value);
  }
  return held;
}

/** What is wrong with calls, in the order in which they end. */
function wrong(consistency: Consistency, ...calls: readonly Call[]): readonly string[] {
  for (const one of calls) consistency.ended(one);
  return consistency.check();
}

it("finds nothing wrong with writes that are there and reads that only go on", () => {
  const calls = [call("write", "v1", 0, 5), call("read", "v1", 6, 7), call("write", "v2", 10, 15)];
  expect(wrong(held("v1", "v2", null), ...calls, call("read", "v2", 16, 17), call("read", null, 30, 31))).toEqual([]);
});

it("finds an acknowledged write that etcd has never held", () => {
  expect(wrong(held("v1", "v3"), call("write", "v2", 0, 5))).toEqual([
    "one: write of a.service as v2 was acknowledged, and is no version after nothing of revision 0",
  ]);
});

it("finds an acknowledged write that was there before the one acknowledged earlier only", () => {
  const calls = [call("write", "v2", 0, 5), call("write", "v1", 6, 9)];
  expect(wrong(held("v1", "v2"), ...calls)).toHaveLength(1);
  expect(wrong(held("v1", "v2", "v1"), ...calls)).toEqual([]);
});

it("finds a read that goes back, and lets another session and one that began earlier be behind", () => {
  const newer = call("read", "v2", 20, 22);
  expect(wrong(held("v1", "v2"), newer, call("read", "v1", 23, 24))).toEqual([
    "one: read of a.service as v1, though it had seen v2 of revision 2",
  ]);
  expect(wrong(held("v1", "v2"), newer, call("read", "v1", 21, 24), call("read", "v1", 23, 24, "two"))).toEqual([]);
  expect(wrong(held("v1", "v2", "v1"), newer, call("read", "v1", 23, 24))).toEqual([]);
});

it("finds a read that denies what its session was acknowledged, also when it is checked later", () => {
  const checked = held("v1");
  expect(wrong(checked, call("write", "v1", 0, 5))).toEqual([]);
  expect(wrong(checked, call("read", null, 6, 7))).toEqual([
    "one: read of a.service as not there, though it had seen v1 of revision 1",
  ]);
});

it("finds an answer from the future, and one of a value that was never there", () => {
  expect(wrong(held("v1", "v2"), call("read", "v2", 3, 9))).toEqual([
    "one: read of a.service as v2: nobody had asked for it",
  ]);
  const lost = held("v1");
  lost.asks(U, "v2", 0);
  expect(wrong(lost, call("read", "v2", 3, 9))).toHaveLength(1);
});

it("holds nothing against what may have been in a gap, and goes on after it", () => {
  const gap = held("v1");
  gap.asks(U, "v2", 10);
  gap.asks(U, "v3", 20);
  gap.asks(U, "v4", 30);
  gap.readAnew(9, new Map([[U, "v3"]]));
  gap.version(U, 10, "v4");
  expect(wrong(gap, call("read", "v2", 12, 13), call("write", "v2", 10, 15), call("read", "v3", 21, 22))).toEqual([]);
  expect(wrong(gap, call("read", "v4", 31, 32), call("read", "v2", 33, 34))).toHaveLength(1);
});

it("holds nothing against a write that was not acknowledged", () => {
  const failed = { ...call("write", "v2", 0, 5), acknowledged: false };
  expect(wrong(held("v1"), failed)).toEqual([]);
});

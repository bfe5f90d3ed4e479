import { expect, it } from "vitest";
import { ConnectionLimits } from "./connection-limits.ts";

const bounds = { most: 6, mostSilent: 5, mostSilentOfPeer: 3, graceMs: 100 };
const opened = (limits: ConnectionLimits<string>, names: readonly string[], now: number): (readonly string[])[] =>
  names.map((name) => limits.open(name, name.charAt(0), now));

it("a peer with too many silent connections loses its oldest, and no other peer loses any", () => {
  const limits = new ConnectionLimits<string>(bounds);
  opened(limits, ["b1", "a1", "a2", "a3"], 0);
  expect(limits.open("a4", "a", 200)).toEqual(["a1"]);
  expect(limits.open("b2", "b", 200)).toEqual([]);
});
it("too many silent connections in all cost the peer that has most", () => {
  const limits = new ConnectionLimits<string>(bounds);
  opened(limits, ["a1", "a2", "a3", "b1", "b2"], 0);
  expect(limits.open("c1", "c", 200)).toEqual(["a1"]);
});
it("a connection whose request may be on its way is not closed", () => {
  const limits = new ConnectionLimits<string>(bounds);
  expect(opened(limits, ["a1", "a2", "a3", "a4"], 0)).toEqual([[], [], [], []]);
  expect(limits.open("a5", "a", 99)).toEqual([]);
});
it("where there is no room at all, the peer with most silent connections loses its oldest, however new that is", () => {
  const limits = new ConnectionLimits<string>(bounds);
  expect(opened(limits, ["b1", "a1", "a2", "a3", "a4", "a5"], 0).flat()).toEqual([]);
  expect(limits.open("c1", "c", 1)).toEqual(["a1"]);
  expect(limits.count).toBe(6);
});
it("connections whose requests were let in stay, and silent ones make room for new ones", () => {
  const limits = new ConnectionLimits<string>(bounds);
  opened(limits, ["a1", "a2", "a3", "a4", "a5", "b1"], 0);
  for (const name of ["a1", "a2", "a3", "a4", "a5"]) limits.letIn(name);
  expect(limits.open("c1", "c", 200)).toEqual(["b1"]);
  limits.letIn("c1");
  expect(limits.open("d1", "d", 400)).toEqual(["d1"]);
  limits.close("a1");
  expect(limits.open("d1", "d", 400)).toEqual([]);
  expect(limits.count).toBe(6);
});
it("a connection is silent again after a request that was not let in", () => {
  const limits = new ConnectionLimits<string>({ ...bounds, mostSilentOfPeer: 1 });
  limits.open("a1", "a", 0);
  limits.letIn("a1");
  expect(limits.open("a2", "a", 200)).toEqual([]);
  limits.silence("a1", 300);
  expect(limits.open("a3", "a", 500)).toEqual(["a2", "a1"]);
});

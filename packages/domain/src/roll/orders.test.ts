import { describe, expect, it } from "vitest";
import { afterOrder, begun, type RollOrder, type RollStatus } from "./index.ts";
import { rollOf } from "./testing/simulated-roll.ts";

const after = (status: RollStatus, order: RollOrder, kind: "replace" | "restart" = "replace"): string => {
  const roll = rollOf({ kind });
  const got = afterOrder(roll, { ...begun(roll), status }, order, "ann");
  return typeof got === "string" ? got : `${got.status}, ${got.why}`;
};

describe("a roll that is told something", () => {
  it.each<[RollStatus, RollOrder, string]>([
    ["running", "pause", "paused, paused by ann"],
    ["paused", "pause", "is paused"],
    ["paused", "resume", "running, null"],
    ["failed", "resume", "is failed: only one that is paused can be resumed"],
    ["running", "cancel", "cancelled, cancelled by ann"],
    ["undoing", "cancel", "cancelled, cancelled by ann"],
    ["done", "cancel", "is done already"],
    ["cancelling", "cancel", "is cancelling already"],
    ["cancelling", "resume", "is cancelling: only one that is paused can be resumed"],
    ["cancelling", "undo", "undoing, undone by ann"],
    ["running", "undo", "undoing, undone by ann"],
    ["failed", "undo", "undoing, undone by ann"],
    ["done", "undo", "undoing, undone by ann"],
    ["undone", "undo", "is undone already"],
  ])("is %s, and told to %s: %s", (status, order, expected) => {
    expect(after(status, order)).toBe(expected);
  });
  it("is a restart, which has nothing to undo", () => {
    expect(after("failed", "undo", "restart")).toContain("is a restart");
  });
});

import { describe, expect, it } from "vitest";
import { afterTelling, type Flaps, mayTellAt } from "./flap-damping.ts";

/** Tells of a unit that changes all the time, whenever it may be told; returns the times. */
function flapFor(milliseconds: number, goal = "a"): number[] {
  const told: number[] = [];
  let flaps: Flaps | undefined;
  for (let now = 0; now < milliseconds; now += 100) {
    if (mayTellAt(flaps, goal) > now) continue;
    told.push(now);
    flaps = afterTelling(flaps, goal, now);
  }
  return told;
}

describe("a unit whose state changes all the time", () => {
  it("is told at once at first, and then after pauses that grow to a limit", () => {
    const times = flapFor(600_000);
    expect(times.slice(0, 6)).toEqual([0, 100, 200, 300, 400, 500]);
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(10_000);
    expect(times.filter((time) => time >= 300_000).length).toBeLessThan(50);
  });
  it("is told at once again after fleet itself has done something to it, and after a quiet time", () => {
    let flaps: Flaps | undefined;
    for (let change = 0; change < 20; change++) flaps = afterTelling(flaps, "a", change * 1_000);
    expect(mayTellAt(flaps, "a")).toBeGreaterThan(25_000);
    expect(mayTellAt(flaps, "b")).toBeLessThan(0);
    expect(afterTelling(flaps, "b", 20_000).penalty).toBe(0);
    expect(afterTelling(flaps, "a", 400_000).penalty).toBeLessThan(2);
  });
  it("that was never told is told at once", () => {
    expect(mayTellAt(undefined, "a")).toBeLessThan(0);
  });
});

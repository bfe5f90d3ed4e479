import { describe, expect, it } from "vitest";
import { Damper } from "./damper.ts";

/** Writes a thing whenever it may be, while it changes every so often. Returns when it was written. */
function written(damper: Damper<string>, everyMs: number, forMs: number, startMs = 0): readonly number[] {
  const times: number[] = [];
  for (let now = startMs; now < startMs + forMs; now += everyMs) {
    if (damper.dueAt("a", now) > now) continue;
    damper.wrote("a", now);
    times.push(now);
  }
  return times;
}

describe("what changes all the time", () => {
  it("is written six times at once, then after pauses that double up to ten seconds", () => {
    const times = written(new Damper(), 50, 60_000);
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(pauses.slice(0, 14)).toEqual([
      ...[50, 50, 50, 50, 50, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000],
    ]);
  });
  it("is written at most once in ten seconds while it goes on, however long", () => {
    const damper = new Damper<string>();
    written(damper, 50, 60_000);
    expect(written(damper, 50, 600_000, 60_000).length).toBeLessThanOrEqual(60);
  });
  it("is written at once again when it has been calm", () => {
    const damper = new Damper<string>();
    written(damper, 50, 60_000);
    expect(damper.dueAt("a", 300_000)).toBe(300_000);
  });
  it("holds up nothing else, and begins anew once it is forgotten", () => {
    const damper = new Damper<string>();
    written(damper, 50, 60_000);
    expect(damper.dueAt("b", 60_000)).toBe(60_000);
    damper.forget("a");
    expect(damper.dueAt("a", 60_000)).toBe(60_000);
  });
});

describe("what changes now and then", () => {
  it("is never held back: four states in a moment, a minute apart", () => {
    const damper = new Damper<string>();
    for (let minute = 0; minute < 60; minute++) expect(written(damper, 100, 400, minute * 60_000)).toHaveLength(4);
  });
});

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Follower } from "./follow.ts";
import { untilSettled } from "./until-settled.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Nothing ever happens: only time ends a pause. */
const silent: Follower = {
  next: (atMostMs) => new Promise((resolve) => setTimeout(resolve, Math.min(atMostMs, 30_000))),
  stop: () => undefined,
};

/** What a wait says, each line with its second. */
async function saidBy(lineAt: (second: number) => string, untilMs: number): Promise<readonly [number, string][]> {
  const said: [number, string][] = [];
  const second = (): number => Math.round((performance.now() - startedAt) / 1_000);
  const startedAt = performance.now();
  const waited = untilSettled(silent, untilMs, {
    look: async () => null,
    waitingFor: async () => lineAt(second()),
    say: (line) => said.push([second(), line]),
  });
  await vi.advanceTimersByTimeAsync(untilMs + 1_000);
  expect(await waited).toBeNull();
  return said;
}

it("says within five seconds what it waits for, though nothing happens, and says it once", async () => {
  expect(await saidBy(() => "for a", 60_000)).toEqual([[4, "for a"]]);
});

it("says it again when that changes", async () => {
  expect(await saidBy((second) => (second < 10 ? "for a" : "for b"), 20_000)).toEqual([
    [4, "for a"],
    [12, "for b"],
  ]);
});

it("says nothing of a short wait", async () => {
  expect(await saidBy(() => "for a", 3_000)).toEqual([]);
});

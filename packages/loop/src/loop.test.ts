import { describe, expect, it } from "vitest";
import { backoff, ReconcileLoop, SaidOnce } from "./index.ts";

describe("a reconcile loop", () => {
  it("turns any number of triggers during a round into one more round", async () => {
    const stopping = new AbortController();
    const gates: (() => void)[] = [];
    const loop = new ReconcileLoop({
      round: () => new Promise<number>((resolve) => gates.push(() => resolve(60_000))),
      onError: () => undefined,
    });
    const done = loop.run(stopping.signal);
    await expect.poll(() => gates.length).toBe(1);
    for (let times = 0; times < 5; times++) loop.trigger();
    gates[0]?.();
    await expect.poll(() => gates.length).toBe(2);
    stopping.abort();
    gates[1]?.();
    await done;
    expect(gates).toHaveLength(2);
  });
  it("goes on after a round that failed, whatever that round has triggered", async () => {
    const stopping = new AbortController();
    const errors: unknown[] = [];
    let rounds = 0;
    const loop: ReconcileLoop = new ReconcileLoop({
      round: async () => {
        rounds++;
        loop.trigger();
        if (rounds < 3) throw new Error(`round ${rounds}`);
        stopping.abort();
        return 0;
      },
      onError: (error) => errors.push(error),
    });
    await loop.run(stopping.signal);
    expect(errors.map(String)).toEqual(["Error: round 1", "Error: round 2"]);
  });
  it("ends at once when it is told to while it waits", async () => {
    const stopping = new AbortController();
    let rounds = 0;
    const round = async (): Promise<number> => {
      rounds++;
      return 3_600_000;
    };
    const loop = new ReconcileLoop({ round, onError: () => undefined });
    const done = loop.run(stopping.signal);
    await expect.poll(() => rounds).toBe(1);
    stopping.abort();
    await done;
  });
});

describe("backoff", () => {
  it("doubles from 50 ms to 5 s, with half of it left to chance", () => {
    for (const [failures, most] of [
      [0, 50],
      [1, 100],
      [4, 800],
      [7, 5_000],
      [1_000, 5_000],
    ] as const) {
      const pauses = Array.from({ length: 50 }, () => backoff(failures));
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(most / 2);
      expect(Math.max(...pauses)).toBeLessThanOrEqual(most);
    }
  });
});

describe("a trouble that is said once", () => {
  it("is news again once what was tried has worked", () => {
    const said: string[] = [];
    const trouble = new SaidOnce<Error>(({ message }) => said.push(message));
    trouble.say(new Error("a"));
    trouble.say(new Error("a"));
    trouble.say(new Error("b"));
    expect([said, trouble.isTroubled]).toEqual([["a", "b"], true]);
    trouble.over();
    expect(trouble.isTroubled).toBe(false);
    trouble.say(new Error("a"));
    expect(said).toEqual(["a", "b", "a"]);
  });
});

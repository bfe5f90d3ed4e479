import { expect, it } from "vitest";
import { concurrently } from "./concurrently.ts";

it("concurrently works on many items at a time, and on no more than 32", async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await concurrently(
    Array.from({ length: 100 }, (_, index) => index),
    async (item) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      done.push(item);
    },
  );
  expect(most).toBe(32);
  expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

it("concurrently does the rest where one item fails, and then throws the failure of the first that failed", async () => {
  const done: number[] = [];
  const work = async (item: number): Promise<void> => {
    // The second failure comes earlier than the first.
    if (item === 1) await new Promise((resolve) => setImmediate(resolve));
    if (item === 1 || item === 2) throw new Error(`item ${item}`);
    done.push(item);
  };
  await expect(concurrently([0, 1, 2, 3], work)).rejects.toThrow("item 1");
  expect(done).toEqual([0, 3]);
});

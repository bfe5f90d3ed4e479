import { expect, it, vi } from "vitest";
import { sayWhenLate } from "./say-when-late.ts";

it("says once what a late answer is waited for, and nothing of one that is there in time", async () => {
  const said: string[] = [];
  const context = { err: (line: string) => void said.push(line) };
  expect(await sayWhenLate(context, Promise.resolve(1), "a", 1)).toBe(1);
  const { promise, resolve } = Promise.withResolvers<number>();
  const waited = sayWhenLate(context, promise, "h2 to answer", 1);
  await vi.waitFor(() => expect(said).toEqual(["waiting for h2 to answer"]));
  resolve(2);
  expect(await waited).toBe(2);
  await expect(sayWhenLate(context, Promise.reject(new Error("no")), "b", 1)).rejects.toThrow("no");
  expect(said).toHaveLength(1);
});

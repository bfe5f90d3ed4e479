import { expect, it } from "vitest";
import type { TimedEntry } from "./entry.ts";
import { mergeByTime } from "./merge.ts";

const at = (atUs: number): TimedEntry => ({
  entry: { unit: "a.service", machineID: "m", cursor: String(atUs), timestamp: "", message: String(atUs) },
  atUs,
  size: 1,
});
async function* of(...batches: readonly (readonly number[])[]): AsyncGenerator<readonly TimedEntry[]> {
  for (const batch of batches) yield batch.map(at);
}

it("entries of machines that are each in order of time become one stream in that order", async () => {
  const times: number[] = [];
  for await (const entries of mergeByTime([of([1, 4], [], [5]), of(), of([2], [3, 9])]))
    times.push(...entries.map(({ atUs }) => atUs));
  expect(times).toEqual([1, 2, 3, 4, 5, 9]);
});

import { expect, it } from "vitest";
import { collectWhenIdle, isWorthCollecting } from "./idle-collector.ts";

const MB = 1e6;

it.each([
  ["a burst has left its garbage", 50, 40 * MB, 30 * MB, 0, true],
  ["the first burst is over, and nothing was collected yet", 50, 30 * MB, 0, 10_000, true],
  ["the process works", 100, 40 * MB, 30 * MB, 0, false],
  ["the heap is so large that collecting it would block", 50, 129 * MB, 30 * MB, 0, false],
  ["the heap has hardly grown", 50, 30.9 * MB, 30 * MB, 3_600_000, false],
  ["the heap has grown a little, a minute after the last time", 50, 32 * MB, 30 * MB, 60_000, true],
  ["the heap has grown a little, soon after the last time", 50, 32 * MB, 30 * MB, 59_000, false],
  ["the heap has shrunk", 50, 20 * MB, 30 * MB, 3_600_000, false],
])("where %s", (_what, cpuMs, heapBytes, heapAfterBytes, sinceCollectionMs, isWorth) => {
  expect(isWorthCollecting({ cpuMs, heapBytes, heapAfterBytes, sinceCollectionMs })).toBe(isWorth);
});

it("the collector ends at once when it is told to", async () => {
  const stopping = new AbortController();
  const done = collectWhenIdle(stopping.signal);
  stopping.abort();
  await done;
});

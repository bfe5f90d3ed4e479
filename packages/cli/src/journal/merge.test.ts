import type { JournalEntry } from "@fleet/client";
import { expect, it } from "vitest";
import { mergeAsTheyCome, mergeByTime } from "./merge.ts";

async function* of(...times: number[]): AsyncGenerator<JournalEntry> {
  for (const time of times) {
    const timestamp = `2026-01-01T00:00:0${time}.000000Z`;
    yield { unit: "a.service", machineID: "m", cursor: String(time), timestamp, message: String(time) };
  }
}
async function allOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of stream) found.push(item);
  return found;
}

it("streams in the order of time become one", async () => {
  const merged = await allOf(mergeByTime([of(1, 4, 5), of(), of(2, 3, 9)]));
  expect(merged.map(({ message }) => message)).toEqual(["1", "2", "3", "4", "5", "9"]);
  expect(await allOf(mergeByTime([]))).toEqual([]);
});
it("streams that go on become one as their items come, until the last has ended", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  async function* late(): AsyncGenerator<string> {
    await promise;
    yield "late";
  }
  async function* early(): AsyncGenerator<string> {
    yield "early";
    resolve();
  }
  expect(await allOf(mergeAsTheyCome([late(), early()]))).toEqual(["early", "late"]);
});
it("the failure of a stream comes after what it gave", async () => {
  async function* failing(): AsyncGenerator<string> {
    yield "one";
    throw new Error("gone");
  }
  const merged = mergeAsTheyCome([failing()]);
  expect((await merged.next()).value).toBe("one");
  await expect(merged.next()).rejects.toThrow("gone");
});

import { expect, it } from "vitest";
import { mergeAsTheyCome } from "./merge-as-they-come.ts";

async function allOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of stream) found.push(item);
  return found;
}

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
  expect(await allOf(mergeAsTheyCome([]))).toEqual([]);
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
it("of each stream one item is read ahead, however slowly they are taken", async () => {
  let made = 0;
  async function* endless(): AsyncGenerator<number> {
    for (;;) yield made++;
  }
  const merged = mergeAsTheyCome([endless(), endless()]);
  for (let taken = 0; taken < 10; taken++) {
    await merged.next();
    await new Promise(setImmediate);
  }
  expect(made).toBeLessThanOrEqual(12);
  await merged.return(undefined);
});

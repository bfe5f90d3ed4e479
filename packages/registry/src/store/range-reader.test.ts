import { describe, expect, it, vi } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { RangeReader } from "./range-reader.ts";

const clock = fakeClock();
const { etcd, registry, stopping } = fakeRegistry();

const MB = 1_000_000;
const fill = async (count: number, bytes: number): Promise<void> => {
  for (let index = 0; index < count; index++)
    await etcd()
      .connect()
      .txn([], [{ put: registry().keys.unit(`u${String(index).padStart(4, "0")}`), value: "x".repeat(bytes) }]);
};
/** Reads everything; the sizes of the pages that came, and what was asked for. */
const read = async (reader = new RangeReader(etcd())) => {
  const ranges = vi.spyOn(etcd(), "range");
  const pages: number[] = [];
  let bytes = 0;
  const reading = (async () => {
    for await (const page of reader.pages(registry().keys.all(), undefined, stopping().signal)) {
      pages.push(page.keyValues.length);
      bytes = Math.max(
        bytes,
        page.keyValues.reduce((sum, { value }) => sum + value.length, 0),
      );
    }
  })();
  const over = reading.then(
    () => null,
    (error: unknown) => error,
  );
  await clock.pass(60_000);
  const asked = ranges.mock.calls.map(([, options]) => options ?? {});
  ranges.mockRestore();
  return { pages, bytes, asked, error: await over };
};

describe("pages of a range", () => {
  it("of large values have few keys, and those of small ones many", async () => {
    await fill(12, MB);
    const large = await read();
    expect([large.bytes <= 4 * MB, large.pages.reduce((sum, count) => sum + count, 0)]).toEqual([true, 12]);
    expect(large.pages.slice(1).every((count) => count <= 2)).toBe(true);
    await fill(1_000, 10);
    expect(Math.max(...(await read()).pages)).toBeGreaterThan(500);
  });
  it("are smaller and waited for longer after each time-out, and nothing is read twice", async () => {
    await fill(100, 10);
    etcd().fail("range", "timeout", 2);
    const { asked, pages, error } = await read();
    expect(error).toBeNull();
    expect(asked.slice(0, 3).map(({ limit, patience }) => [limit, patience])).toEqual([
      [4, 1],
      [1, 2],
      [1, 4],
    ]);
    expect(pages.reduce((sum, count) => sum + count, 0)).toBe(100);
  });
  it("are given up after five time-outs in a row; the next try goes on with what was learnt, until one is whole", async () => {
    await fill(3, 10);
    const reader = new RangeReader(etcd());
    etcd().fail("range", "timeout", 5);
    expect((await read(reader)).error).toMatchObject({ code: "timeout" });
    expect((await read(reader)).asked[0]).toMatchObject({ limit: 1, patience: 32 });
    expect((await read(reader)).asked[0]).toMatchObject({ limit: 4, patience: 1 });
  });
  it("that fail otherwise are not asked for again", async () => {
    await fill(3, 10);
    etcd().fail("range", "unavailable", 1);
    const { asked, error } = await read();
    expect([asked.length, error]).toEqual([1, expect.objectContaining({ code: "unavailable" })]);
  });
});

import { expect, it } from "vitest";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { UnitFileReader } from "./unit-files.ts";

const { etcd, registry } = fakeRegistry();

/** Writes so many files of a size; returns their hashes. */
async function write(kind: string, count: number, bytes: number): Promise<readonly string[]> {
  const hashes = Array.from({ length: count }, (_, index) => `${kind}${index}`);
  for (const hash of hashes)
    await etcd()
      .connect()
      .txn([], [{ put: registry().keys.unitFile(hash), value: "x".repeat(bytes) }]);
  return hashes;
}

it("files are read in pages of bounded bytes, which begin small and stay as large as those before were", async () => {
  const reader = new UnitFileReader(etcd(), registry().keys);
  const read = async (hashes: readonly string[]) => {
    const before = etcd().txns.length;
    expect([...(await reader.read(hashes)).keys()]).toEqual(hashes);
    return etcd()
      .txns.slice(before)
      .map(({ ops }) => ops.length);
  };
  const small = await write("s", 300, 100);
  const large = await write("l", 20, 250_000);
  expect(await read(small)).toEqual([4, 16, 64, 120, 96]);
  expect(await read(small)).toEqual([120, 120, 60]);
  expect(await read(large)).toEqual([20]);
  expect(await read(large)).toEqual([8, 8, 4]);
});

it("files that are not there are left out, and change nothing of the pages", async () => {
  const reader = new UnitFileReader(etcd(), registry().keys);
  const [hash = ""] = await write("s", 1, 100);
  expect([...(await reader.read(["none", hash, "none"])).keys()]).toEqual([hash]);
  expect((await reader.read(["a", "b", "c"])).size).toBe(0);
  const before = etcd().txns.length;
  await reader.read(Array.from({ length: 30 }, (_, index) => `${index}`));
  expect(etcd().txns.length - before).toBe(1);
});

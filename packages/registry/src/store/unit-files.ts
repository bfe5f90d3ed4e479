import { ClusterState, isSourceOf, type Keys, type UnitRecord } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { FIRST_KEYS, nextKeys } from "./range-reader.ts";
import { readKeys } from "./transactions.ts";

/**
 * Reads the texts of unit files by hash, a bounded number of bytes at a time: etcd holds an answer in memory as a whole.
 *
 * @returns those that were found, by hash
 */
export async function readUnitFiles(etcd: Etcd, keys: Keys, hashes: readonly string[]): Promise<Map<string, string>> {
  const state = new ClusterState(keys);
  const wanted = [...new Set(hashes)].map((hash) => keys.unitFile(hash));
  for (let start = 0, count = FIRST_KEYS; start < wanted.length; ) {
    const page = wanted.slice(start, start + count);
    const found = (await readKeys(etcd, page)).filter((keyValue) => keyValue !== null);
    for (const keyValue of found) state.put(keyValue);
    start += page.length;
    count = nextKeys(count, found);
  }
  return new Map([...state.unitFiles].map(([hash, { text }]) => [hash, text]));
}

/**
 * Reads a unit's text as its user wrote it; where that is not known, the file that fleet wrote out.
 *
 * @returns never the text of another version; null: etcd has none of this one
 */
export async function readUnitText(
  etcd: Etcd,
  keys: Keys,
  { hash, source }: Pick<UnitRecord, "hash" | "source">,
): Promise<string | null> {
  if (source !== undefined) {
    const [found] = await readKeys(etcd, [keys.source(source)]);
    if (found != null && isSourceOf(found.value, hash)) return found.value;
  }
  return (await readUnitFiles(etcd, keys, [hash])).get(hash) ?? null;
}

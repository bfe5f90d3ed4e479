import { ClusterState, isSourceOf, type Keys, type UnitRecord } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { readKeys } from "./transactions.ts";

/**
 * Reads the texts of unit files by hash.
 *
 * @returns those that were found, by hash
 */
export async function readUnitFiles(etcd: Etcd, keys: Keys, hashes: readonly string[]): Promise<Map<string, string>> {
  const state = new ClusterState(keys);
  const found = await readKeys(
    etcd,
    [...new Set(hashes)].map((hash) => keys.unitFile(hash)),
  );
  for (const keyValue of found) if (keyValue !== null) state.put(keyValue);
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

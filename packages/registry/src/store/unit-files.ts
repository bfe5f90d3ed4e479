import { ClusterState, type Keys } from "@fleet/domain/cluster";
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

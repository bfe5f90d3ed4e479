import { ClusterState, type Keys } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";

const MOST_GETS = 100;

/**
 * Reads the texts of unit files by hash.
 *
 * @returns those that were found, by hash
 */
export async function readUnitFiles(etcd: Etcd, keys: Keys, hashes: readonly string[]): Promise<Map<string, string>> {
  const state = new ClusterState(keys);
  const wanted = [...new Set(hashes)];
  const reads: Promise<void>[] = [];
  for (let start = 0; start < wanted.length; start += MOST_GETS) {
    const gets = wanted.slice(start, start + MOST_GETS).map((hash) => ({ get: keys.unitFile(hash) }));
    reads.push(
      etcd.txn([], gets).then((result) => {
        for (const found of result.gets) if (found !== null) state.put(found);
      }),
    );
  }
  await Promise.all(reads);
  return new Map([...state.unitFiles].map(([hash, { text }]) => [hash, text]));
}

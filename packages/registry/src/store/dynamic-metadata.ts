import type { Keys, MetadataChange, Op } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { inTransactions } from "./transactions.ts";

/**
 * Carries out changes of dynamic metadata in order, also for machines that are not there.
 *
 * @returns the etcd revision that holds the last of them
 */
export async function changeMetadata(etcd: Etcd, keys: Keys, changes: readonly MetadataChange[]): Promise<number> {
  // A transaction takes a key once; the last of several changes of a key is the one that counts.
  const ops = new Map<string, Op>();
  for (const { machineID, key, value } of changes) {
    const name = keys.machineMetadata(machineID, key);
    ops.set(name, { put: name, value });
  }
  return (await inTransactions(etcd, [...ops.values()])).revision;
}

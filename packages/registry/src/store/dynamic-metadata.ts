import type { Keys, MetadataChange } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { type GuardedOp, writeGuarded } from "./guarded-writes.ts";

/**
 * Carries out changes of dynamic metadata in order, also for machines that are not there.
 *
 * @returns the etcd revision that holds the last of them
 */
export async function changeMetadata(etcd: Etcd, keys: Keys, changes: readonly MetadataChange[]): Promise<number> {
  // A transaction takes a key once; the last of several changes of a key is the one that counts.
  const ops = new Map<string, GuardedOp>();
  for (const { machineID, key, value } of changes) {
    const name = keys.machineMetadata(machineID, key);
    ops.set(name, { put: name, value });
  }
  return writeGuarded(etcd, keys, [...ops.values()]);
}

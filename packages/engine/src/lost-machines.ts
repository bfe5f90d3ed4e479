import { type ClusterState, encodeKnownMachine, lostMachines } from "@fleet/domain/cluster";
import type { Leadership, Registry } from "@fleet/registry";

/**
 * Notes of machines that are lost since when, for those who list them.
 *
 * @throws RegistryError
 */
export async function noteLost(registry: Registry, state: ClusterState, leadership: Leadership): Promise<void> {
  const { etcd, keys } = registry;
  for (const { id, since } of lostMachines(state)) {
    const known = state.knownMachines.get(id);
    if (since !== null || known === undefined) continue;
    const { modRevision, createRevision: _, ...record } = known;
    const key = keys.knownMachine(id);
    // One that comes back meanwhile, or is noted by another hand, stays as it is.
    await etcd.txn(
      [leadership.fence, { key, modRevision }, { key: keys.machine(id), createRevision: 0 }],
      [{ put: key, value: encodeKnownMachine({ ...record, lostSince: new Date().toISOString() }) }],
    );
  }
}

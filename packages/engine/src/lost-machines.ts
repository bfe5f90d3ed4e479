import { type ClusterState, encodeKnownMachine, lostMachines } from "@fleet/domain/cluster";
import type { Leadership, Registry } from "@fleet/registry";

/**
 * Notes of machines that are lost since when, and until when their units stay there all the same, for those who list and
 * explain. Nothing is written where that is noted.
 *
 * @param heldUntil of a machine; null: its units don't stay
 * @throws RegistryError
 */
export async function noteLost(
  registry: Registry,
  state: ClusterState,
  leadership: Leadership,
  heldUntil: (id: string) => Date | null,
): Promise<void> {
  const { etcd, keys } = registry;
  for (const { id, since, heldUntil: noted } of lostMachines(state)) {
    const known = state.knownMachines.get(id);
    const until = heldUntil(id);
    // A grace is told once: its end does not move by the milliseconds in which it is worked out.
    const isHeldAsNoted = (until === null) === (noted === null);
    if (known === undefined || (since !== null && isHeldAsNoted)) continue;
    const { modRevision, createRevision: _created, heldUntil: _held, ...record } = known;
    const lostSince = since ?? new Date().toISOString();
    const held = until === null ? {} : { heldUntil: until.toISOString() };
    const key = keys.knownMachine(id);
    // One that comes back meanwhile, or is noted by another hand, stays as it is.
    await etcd.txn(
      [leadership.fence, { key, modRevision }, { key: keys.machine(id), createRevision: 0 }],
      [{ put: key, value: encodeKnownMachine({ ...record, lostSince, ...held }) }],
    );
  }
}

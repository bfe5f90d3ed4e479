import { type Compare, encodeLeader, type Keys, type LeaderRecord, type Op } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import type { Lease } from "./lease.ts";

/**
 * Leadership over the cluster's schedule: a key that exists once, bound to a lease. Every write of a leader carries
 * `fence`, so that a deposed one, however long it was paused, can write nothing.
 */
export class Leadership {
  readonly lease: Lease;
  /** The condition that the leadership still is the one this was won with. */
  readonly fence: Compare;

  private constructor(lease: Lease, fence: Compare) {
    this.lease = lease;
    this.fence = fence;
  }

  /**
   * Tries to become leader. An engine never leads beside a newer one: the version key only ever rises.
   *
   * @param knownVersion the engine version that etcd held when last seen; null where it held none
   * @returns null where somebody else leads, or where the version key is not as known
   */
  static async campaign(
    etcd: Etcd,
    keys: Keys,
    lease: Lease,
    record: LeaderRecord,
    knownVersion: { readonly version: number; readonly modRevision: number } | null,
  ): Promise<Leadership | null> {
    if (knownVersion !== null && knownVersion.version > record.version) return null;
    const ops: Op[] = [{ put: keys.leader(), value: encodeLeader(record), lease: lease.id }];
    if (knownVersion?.version !== record.version) {
      ops.push({ put: keys.engineVersion(), value: String(record.version) });
    }
    const { succeeded, revision } = await etcd.txn(
      [
        { key: keys.leader(), createRevision: 0 },
        { key: keys.engineVersion(), modRevision: knownVersion?.modRevision ?? 0 },
      ],
      ops,
    );
    return succeeded ? new Leadership(lease, { key: keys.leader(), createRevision: revision }) : null;
  }

  /**
   * Whether one may still act: the lease was confirmed recently enough that it can't end while a write is under way.
   *
   * @param marginMs how long a write may take
   */
  mayAct(marginMs: number): boolean {
    return this.lease.isAlive && this.lease.silentMs + marginMs < this.lease.ttlMs;
  }

  /** Steps down at once, for another engine to take over without waiting. */
  async resign(): Promise<void> {
    await this.lease.revoke();
  }
}

import type { Compare, Keys, LeaderRecord, RegistryError } from "@fleet/domain/cluster";
import { type Etcd, Leadership, Lease } from "@fleet/registry";

/** What an engine's claim to lead needs. */
export interface LeaderElectorOptions {
  readonly etcd: Etcd;
  readonly keys: Keys;
  readonly onTrouble: (error: RegistryError) => void;
  /** Called when a leadership has ended without being given up. */
  readonly onLost: (why: string) => void;
}

/**
 * One engine's claim to lead: at most one lease and one leadership at a time. A lease that is let go is no longer kept
 * alive, whatever happened to it.
 */
export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  #lease: Lease | null = null;
  #keeping = new AbortController();
  #leadership: Leadership | null = null;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
  }

  get leadership(): Leadership | null {
    return this.#leadership;
  }
  /** The etcd revision at which the leadership began; null: not leading. */
  get since(): number | null {
    const fence: Compare | undefined = this.#leadership?.fence;
    return fence !== undefined && "createRevision" in fence ? fence.createRevision : null;
  }

  /** Tries to become leader. Null where somebody else is. */
  async campaign(
    ttlMs: number,
    record: LeaderRecord,
    knownVersion: Parameters<typeof Leadership.campaign>[4],
  ): Promise<Leadership | null> {
    const { etcd, keys } = this.#options;
    const lease = this.#lease?.isAlive ? this.#lease : await this.#renew(ttlMs);
    try {
      this.#leadership = await Leadership.campaign(etcd, keys, lease, record, knownVersion);
      return this.#leadership;
    } catch (error) {
      // The campaign may have been won without our hearing of it: the lease must go, or nobody would ever lead.
      this.release();
      await etcd.revokeLease(lease.id).catch(() => undefined);
      throw error;
    }
  }

  /** Gives the leadership up for others to take over at once. */
  async resign(): Promise<void> {
    const lease = this.#lease;
    this.release();
    if (lease !== null) await lease.revoke();
  }

  /** Lets lease and leadership go without a word to etcd. */
  release(): void {
    this.#keeping.abort();
    this.#lease = null;
    this.#leadership = null;
  }

  async #renew(ttlMs: number): Promise<Lease> {
    this.release();
    const { etcd, onTrouble, onLost } = this.#options;
    const lease = await Lease.grant({ etcd, ttlMs, onTrouble });
    const keeping = new AbortController();
    this.#lease = lease;
    this.#keeping = keeping;
    void lease.keepAlive(keeping.signal).then(
      (isAlive) => {
        if (isAlive || this.#lease !== lease) return;
        const wasLeading = this.#leadership !== null;
        this.release();
        if (wasLeading) onLost("its lease has ended");
      },
      (error: unknown) => {
        if (this.#lease !== lease) return;
        this.release();
        onLost(`its lease can't be kept: ${String(error)}`);
      },
    );
    return lease;
  }
}

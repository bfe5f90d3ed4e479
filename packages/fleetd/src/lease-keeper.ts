import { RegistryError } from "@fleet/domain/cluster";

/** When the daemon's loop has not asked for this share of the time to live, the keeper asks etcd by itself. */
const OWN_BEAT_AT = 0.6;
/** From then on it asks at this share of the time to live. */
const NEXT_BEAT_AT = 0.5;
/** After a failure it asks again at this share, but not oftener than each LEAST_MS. */
const RETRY_AT = 0.05;
const LEAST_MS = 100;

interface KeptLease {
  readonly ttlMs: number;
  /** When the daemon's loop last asked, by performance.now(). */
  readonly askedAt: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Keeps leases alive for a loop that may be held up. As long as the loop asks in time, each of its questions is passed on
 * to etcd, and nothing more is sent. When it falls silent, the keeper goes on by itself, for a limited time: a loop that
 * hangs for good must not hold its machine in the cluster.
 */
export class LeaseKeeper {
  readonly #ask: (id: string) => Promise<number>;
  readonly #mostHeldMs: number;
  readonly #leases = new Map<string, KeptLease>();

  /**
   * @param ask keeps a lease alive in etcd; returns its remaining seconds, 0 where it is gone
   * @param mostHeldMs how long a silent loop is stood in for
   */
  constructor(ask: (id: string) => Promise<number>, mostHeldMs: number) {
    this.#ask = ask;
    this.#mostHeldMs = mostHeldMs;
  }

  /** Keeps a lease alive for the loop, and from now on also without it. Returns its remaining seconds; 0: it is gone. */
  async keepAlive(id: string, ttlMs: number): Promise<number> {
    this.#schedule(id, { ttlMs, askedAt: performance.now() }, ttlMs * OWN_BEAT_AT);
    const remaining = await this.#ask(id);
    if (remaining <= 0) this.drop(id);
    return remaining;
  }

  /** Leaves a lease to itself. */
  drop(id: string): void {
    clearTimeout(this.#leases.get(id)?.timer);
    this.#leases.delete(id);
  }

  #schedule(id: string, lease: Omit<KeptLease, "timer">, inMs: number): void {
    this.drop(id);
    this.#leases.set(id, { ...lease, timer: setTimeout(() => void this.#beat(id), inMs) });
  }

  async #beat(id: string): Promise<void> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    if (performance.now() - lease.askedAt > this.#mostHeldMs) return this.drop(id);
    let nextMs = lease.ttlMs * NEXT_BEAT_AT;
    try {
      if ((await this.#ask(id)) <= 0) nextMs = Number.POSITIVE_INFINITY;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      nextMs = Math.max(LEAST_MS, lease.ttlMs * RETRY_AT);
    }
    // The loop may have asked, or have given the lease up, while etcd was asked.
    if (this.#leases.get(id) !== lease) return;
    if (nextMs === Number.POSITIVE_INFINITY) this.drop(id);
    else this.#schedule(id, lease, nextMs);
  }
}

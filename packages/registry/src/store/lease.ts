import { setTimeout as sleep } from "node:timers/promises";
import { RegistryError } from "@fleet/domain/cluster";
import { SaidOnce } from "@fleet/loop";
import type { Etcd } from "./etcd.ts";

/** What holds a lease. */
export interface LeaseOptions {
  readonly etcd: Etcd;
  /** How long keys under the lease outlive their holder. etcd takes whole seconds, at least 2: it is rounded up. */
  readonly ttlMs: number;
  /** Hears of each keep-alive that failed and will be tried again. */
  readonly onTrouble: (error: RegistryError) => void;
  /** Hears of each confirmation with the time, by performance.now(), at which it was asked for. */
  readonly onConfirmed?: (askedAt: number) => void;
  /** Milliseconds between keep-alives; by default half of the time to live. */
  readonly pauseMs?: () => number | null;
}

/**
 * A lease that knows whether it is still alive. It is believed only as long as etcd last confirmed it, counted from
 * before the question was sent: a client cut off from etcd knows that its lease is over no later than etcd does.
 */
export class Lease {
  readonly id: string;
  readonly ttlMs: number;
  readonly #options: LeaseOptions;
  #confirmedAt: number;
  #isGone = false;
  #wake = new AbortController();

  private constructor(id: string, ttlMs: number, options: LeaseOptions, confirmedAt: number) {
    this.id = id;
    this.ttlMs = ttlMs;
    this.#options = options;
    this.#confirmedAt = confirmedAt;
  }

  /** Asks etcd for a lease. */
  static async grant(options: LeaseOptions): Promise<Lease> {
    const seconds = Math.max(2, Math.ceil(options.ttlMs / 1000));
    const askedAt = performance.now();
    const id = await options.etcd.grantLease(seconds);
    return new Lease(id, seconds * 1000, options, askedAt);
  }

  /** When the last confirmation was asked for, by performance.now(). */
  get confirmedAt(): number {
    return this.#confirmedAt;
  }
  /** Milliseconds since etcd last confirmed the lease. */
  get silentMs(): number {
    return performance.now() - this.#confirmedAt;
  }
  /** Whether the lease is certainly still there: confirmed, and not older than its time to live. */
  get isAlive(): boolean {
    return !this.#isGone && this.silentMs < this.ttlMs;
  }

  /**
   * Keeps the lease alive, at half of its time to live and oftener after a failure, until the signal aborts or the
   * lease is lost.
   *
   * @returns whether the lease is still alive
   */
  async keepAlive(signal: AbortSignal): Promise<boolean> {
    const pause = (): number => Math.min(this.ttlMs / 2, this.#options.pauseMs?.() ?? Number.POSITIVE_INFINITY);
    let nextMs = pause();
    const trouble = new SaidOnce<RegistryError>((error) => this.#options.onTrouble(error));
    while (!signal.aborted) {
      await this.#pause(nextMs, signal);
      if (signal.aborted) break;
      const askedAt = performance.now();
      try {
        const remaining = await this.#options.etcd.keepLeaseAlive(this.id);
        if (remaining <= 0) {
          this.#isGone = true;
          return false;
        }
        this.#confirmedAt = askedAt;
        trouble.over();
        this.#options.onConfirmed?.(askedAt);
        nextMs = pause();
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        trouble.say(error);
        nextMs = Math.min(pause(), Math.max(100, this.ttlMs / 20));
      }
      // Silence beyond the time to live is not yet the end: etcd may have kept the lease, as it does when its leader
      // changes. Only etcd's own word ends it; until then isAlive is false and nobody acts on it.
    }
    return this.isAlive;
  }

  /** Has the next keep-alive sent at once. */
  beat(): void {
    this.#wake.abort();
  }

  async #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    const woken = AbortSignal.any([signal, this.#wake.signal]);
    await sleep(milliseconds, undefined, { signal: woken }).catch(() => undefined);
  }

  /** Ends the lease and all keys under it. */
  async revoke(): Promise<void> {
    this.#isGone = true;
    await this.#options.etcd.revokeLease(this.id);
  }
}

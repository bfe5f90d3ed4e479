import type { Compare, KeyRange, Op } from "@fleet/domain/cluster";
import type { Etcd, EtcdHistory, RangeOptions, RangePage, TxnResult, WatchBatch } from "@fleet/registry";
import type { HeartbeatThread } from "./heartbeat-thread.ts";

/** An etcd whose leases are kept alive by another thread, also while this one is held up. */
export class SteadyEtcd implements Etcd {
  readonly #etcd: Etcd;
  readonly #thread: Pick<HeartbeatThread, "isThere" | "keepAlive" | "drop" | "close">;
  /** Milliseconds to live of the leases that were granted here, by their IDs. */
  readonly #ttlMs = new Map<string, number>();

  constructor(etcd: Etcd, thread: Pick<HeartbeatThread, "isThere" | "keepAlive" | "drop" | "close">) {
    this.#etcd = etcd;
    this.#thread = thread;
  }

  get history(): EtcdHistory {
    return this.#etcd.history;
  }
  range(range: KeyRange, options?: RangeOptions): Promise<RangePage> {
    return this.#etcd.range(range, options);
  }
  txn(compares: readonly Compare[], ops: readonly Op[], otherwise?: readonly Op[]): Promise<TxnResult> {
    return this.#etcd.txn(compares, ops, otherwise);
  }
  watch(
    ranges: readonly { readonly range: KeyRange; readonly from: number }[],
    signal: AbortSignal,
    onBatch: (batch: WatchBatch) => void,
    onOpen: () => void,
  ): Promise<void> {
    return this.#etcd.watch(ranges, signal, onBatch, onOpen);
  }

  async grantLease(ttlSeconds: number): Promise<string> {
    const id = await this.#etcd.grantLease(ttlSeconds);
    this.#ttlMs.set(id, ttlSeconds * 1000);
    // The thread knows the lease before this loop first asks for it, which may be held up until then.
    if (this.#thread.isThere) this.#thread.keepAlive(id, ttlSeconds * 1000).catch(() => undefined);
    return id;
  }

  async keepLeaseAlive(id: string): Promise<number> {
    const ttlMs = this.#ttlMs.get(id);
    if (ttlMs === undefined || !this.#thread.isThere) return this.#etcd.keepLeaseAlive(id);
    const remaining = await this.#thread.keepAlive(id, ttlMs);
    if (remaining <= 0) this.#ttlMs.delete(id);
    return remaining;
  }

  revokeLease(id: string): Promise<void> {
    this.#ttlMs.delete(id);
    this.#thread.drop(id);
    return this.#etcd.revokeLease(id);
  }

  /** Ends the thread too. */
  close(): void {
    this.#thread.close();
    this.#etcd.close();
  }
}

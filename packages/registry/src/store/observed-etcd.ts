import type { Compare, KeyRange, Op } from "@fleet/domain/cluster";
import type { Etcd, RangeOptions, RangePage, TxnResult, WatchBatch } from "./etcd.ts";
import type { EtcdHistory } from "./etcd-history.ts";

/** Hears of every operation on etcd: its name, how many seconds it took and whether it worked. */
export type OperationObserver = (operation: string, seconds: number, succeeded: boolean) => void;

/** An etcd whose operations are reported, for metrics. */
export class ObservedEtcd implements Etcd {
  readonly #etcd: Etcd;
  readonly #observe: OperationObserver;

  constructor(etcd: Etcd, observe: OperationObserver) {
    this.#etcd = etcd;
    this.#observe = observe;
  }

  get history(): EtcdHistory {
    return this.#etcd.history;
  }

  range(range: KeyRange, options?: RangeOptions): Promise<RangePage> {
    return this.#timed("range", this.#etcd.range(range, options));
  }
  txn(compares: readonly Compare[], ops: readonly Op[], otherwise?: readonly Op[]): Promise<TxnResult> {
    return this.#timed("txn", this.#etcd.txn(compares, ops, otherwise));
  }
  watch(
    ranges: readonly { readonly range: KeyRange; readonly from: number }[],
    signal: AbortSignal,
    onBatch: (batch: WatchBatch) => void,
    onOpen: () => void,
  ): Promise<void> {
    return this.#etcd.watch(ranges, signal, onBatch, onOpen);
  }
  grantLease(ttlSeconds: number): Promise<string> {
    return this.#timed("lease-grant", this.#etcd.grantLease(ttlSeconds));
  }
  keepLeaseAlive(id: string): Promise<number> {
    return this.#timed("lease-keep-alive", this.#etcd.keepLeaseAlive(id));
  }
  revokeLease(id: string): Promise<void> {
    return this.#timed("lease-revoke", this.#etcd.revokeLease(id));
  }
  close(): void {
    this.#etcd.close();
  }

  async #timed<T>(operation: string, call: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    let succeeded = false;
    try {
      const result = await call;
      succeeded = true;
      return result;
    } finally {
      this.#observe(operation, (performance.now() - startedAt) / 1000, succeeded);
    }
  }
}

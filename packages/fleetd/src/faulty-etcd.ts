import { setTimeout as sleep } from "node:timers/promises";
import { type Compare, type KeyRange, type Op, RegistryError } from "@fleet/domain/cluster";
import type { Etcd, EtcdHistory, RangeOptions, RangePage, TxnResult, WatchBatch } from "@fleet/registry";
import type { Failpoints } from "./failpoints.ts";

/** Most milliseconds that a batch of events comes late. */
const LATE_MS = 2_000;

/** An etcd with random faults, such as a network or a crash causes, for tests. */
export class FaultyEtcd implements Etcd {
  readonly #etcd: Etcd;
  readonly #failpoints: Pick<Failpoints, "reach" | "happens">;

  constructor(etcd: Etcd, failpoints: Pick<Failpoints, "reach" | "happens">) {
    this.#etcd = etcd;
    this.#failpoints = failpoints;
  }

  get history(): EtcdHistory {
    return this.#etcd.history;
  }

  range(range: KeyRange, options?: RangeOptions): Promise<RangePage> {
    return this.#etcd.range(range, options);
  }

  async txn(compares: readonly Compare[], ops: readonly Op[], otherwise?: readonly Op[]): Promise<TxnResult> {
    if (ops.length === 0) return this.#etcd.txn(compares, ops, otherwise);
    this.#failpoints.reach("etcd.before-txn");
    const result = await this.#etcd.txn(compares, ops, otherwise);
    this.#failpoints.reach("etcd.after-txn");
    if (this.#failpoints.happens("etcd.answer-lost"))
      throw new RegistryError("timeout", "etcd's answer was lost: a failpoint");
    return result;
  }

  async watch(
    ranges: readonly { readonly range: KeyRange; readonly from: number }[],
    signal: AbortSignal,
    onBatch: (batch: WatchBatch) => void,
    onOpen: () => void,
  ): Promise<void> {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    let isOver = false;
    let queue = Promise.resolve();
    const take = async (batch: WatchBatch): Promise<void> => {
      if (this.#failpoints.happens("etcd.watch-late")) await sleep(Math.random() * LATE_MS);
      // A watch that has ended passes nothing on: its user has opened another one from where it was.
      const { events } = batch;
      const isDropped = events.length > 0 && this.#failpoints.happens("etcd.event-dropped");
      const told = isDropped ? { ...batch, events: events.slice(1) } : batch;
      for (let times = this.#failpoints.happens("etcd.watch-twice") ? 2 : 1; times > 0 && !isOver; times--)
        onBatch(told);
    };
    const late = (batch: WatchBatch): void => {
      queue = queue.then(() => take(batch));
      queue.catch(reject);
    };
    try {
      await Promise.race([this.#etcd.watch(ranges, signal, late, onOpen), failed]);
    } finally {
      isOver = true;
    }
  }

  grantLease(ttlSeconds: number): Promise<string> {
    return this.#etcd.grantLease(ttlSeconds);
  }
  keepLeaseAlive(id: string): Promise<number> {
    return this.#etcd.keepLeaseAlive(id);
  }
  revokeLease(id: string): Promise<void> {
    return this.#etcd.revokeLease(id);
  }
  close(): void {
    this.#etcd.close();
  }
}

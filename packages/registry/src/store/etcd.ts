import type { Compare, KeyRange, KeyValue, Op } from "@fleet/domain/cluster";
import type { EtcdHistory } from "./etcd-history.ts";

/** What became of a transaction. */
export interface TxnResult {
  /** False: a condition did not hold, and the `otherwise` operations were carried out. */
  readonly succeeded: boolean;
  /** The etcd revision after it. */
  readonly revision: number;
  /** What the `get` operations found, in their order; null where there is no such key. */
  readonly gets: readonly (KeyValue | null)[];
}

/** What is read of a range. */
export interface RangeOptions {
  /** Continue behind this key. */
  readonly after?: string | undefined;
  readonly limit?: number;
  /** As of then; absent: now. */
  readonly revision?: number | undefined;
  /** True: values are left out, and are "". */
  readonly keysOnly?: boolean;
  /** How many times longer than usual the answer is waited for; by default 1. */
  readonly patience?: number;
}

/** A page of a range. */
export interface RangePage {
  readonly keyValues: readonly KeyValue[];
  /** How many keys there are behind `after`, also beyond this page. */
  readonly count: number;
  readonly more: boolean;
  readonly revision: number;
}

/** Events of a watch: everything in its ranges up to `revision`. */
export interface WatchBatch {
  /** Which of the watched ranges this is about. */
  readonly range: number;
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

/** One key written or deleted. */
export type WatchEvent =
  | { readonly kind: "put"; readonly keyValue: KeyValue }
  | { readonly kind: "delete"; readonly key: string; readonly revision: number };

/**
 * The few things fleet asks of etcd: the port behind which the etcd client library stands. Every promise ends within
 * the configured request time-out, but for `watch`. Failures are RegistryErrors.
 */
export interface Etcd {
  /** What answers have shown of etcd's history. */
  readonly history: EtcdHistory;
  /** Reads keys in order. */
  range(range: KeyRange, options?: RangeOptions): Promise<RangePage>;
  txn(compares: readonly Compare[], ops: readonly Op[], otherwise?: readonly Op[]): Promise<TxnResult>;
  /**
   * Follows ranges from the given revisions on, each inclusive, until the signal aborts (resolves) or the stream breaks
   * (rejects; with code `compacted` where the revision is gone). `onOpen`: etcd has taken on all of them.
   */
  watch(
    ranges: readonly { readonly range: KeyRange; readonly from: number }[],
    signal: AbortSignal,
    onBatch: (batch: WatchBatch) => void,
    onOpen: () => void,
  ): Promise<void>;
  /** A new lease of whole seconds, at least 2 on a default server. Returns its ID. */
  grantLease(ttlSeconds: number): Promise<string>;
  /** Keeps a lease alive. Returns its remaining seconds; 0: it is gone. */
  keepLeaseAlive(id: string): Promise<number>;
  /** Ends a lease and every key under it. No error where it is gone already. */
  revokeLease(id: string): Promise<void>;
  close(): void;
}

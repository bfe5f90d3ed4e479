import { type Compare, type KeyRange, type Op, RegistryError, type RegistryErrorCode } from "@fleet/domain/cluster";
import {
  type Etcd,
  EtcdHistory,
  type RangeOptions,
  type RangePage,
  type TxnResult,
  type WatchBatch,
} from "@fleet/registry";
import { type Commit, FakeEtcdStore, refusal } from "./fake-etcd-store.ts";

/** An operation of the port that may fail or be held up. */
export type Operation = Exclude<keyof Etcd, "close">;

/** What one may get in the way of. */
type Which = Operation | "all";

/** Where an operation is held up: before etcd has it, or before its answer arrives. */
type Place = "request" | "answer";

/** A transaction that etcd has carried out. */
export interface SentTxn {
  readonly compares: readonly Compare[];
  readonly ops: readonly Op[];
  readonly succeeded: boolean;
  readonly revision: number;
}

/**
 * A complete etcd in memory, held to the real one by etcd-contract.ts, which fails, waits and loses answers when it is
 * told to. Each FakeEtcd is one client with troubles of its own; `connect()` gives another client of the same store.
 */
export class FakeEtcd implements Etcd {
  readonly store: FakeEtcdStore;
  readonly history = new EtcdHistory();
  /** What was carried out of this client's transactions, in order, also of those whose answers were lost. */
  readonly txns: SentTxn[] = [];
  /** How often each operation was asked for. */
  readonly asked = new Map<Operation, number>();
  readonly #requestTimeoutMs: number;
  readonly #failures = new Map<Operation, { readonly error: RegistryError; times: number }>();
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #dropped = new Map<Operation, number>();
  readonly #watches = new Set<Watching>();
  #isClosed = false;

  /** @param requestTimeoutMs when an operation that is held up ends with `timeout` */
  constructor({ store = new FakeEtcdStore(), requestTimeoutMs = 5_000 } = {}) {
    this.store = store;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /** Another client of the same store, without troubles. */
  connect(): FakeEtcd {
    return new FakeEtcd({ store: this.store, requestTimeoutMs: this.#requestTimeoutMs });
  }

  /** How many watches of this client are open. */
  get watching(): number {
    return this.#watches.size;
  }

  /**
   * Has operations fail before they are carried out; watches that are open break too.
   *
   * @param error null: they work again
   * @param times how many of each fail before they work again
   */
  fail(which: Which, error: RegistryError | RegistryErrorCode | null, times = Number.POSITIVE_INFINITY): void {
    const failure = typeof error === "string" ? refusal(error, `was told to fail: ${error}`) : error;
    for (const operation of operations(which)) {
      if (failure === null) this.#failures.delete(operation);
      else this.#failures.set(operation, { error: failure, times });
      if (operation === "watch" && failure !== null) this.breakWatches(failure);
    }
  }

  /** Holds operations up until `release`, or until their time is out. Of a watch: what it would tell. */
  hold(which: Which, place: Place = "answer"): void {
    for (const operation of operations(which)) {
      const gate = gateOf(place, operation);
      if (!this.#gates.has(gate)) this.#gates.set(gate, Promise.withResolvers());
    }
  }

  /** Lets go of what is held up. */
  release(which: Which = "all"): void {
    for (const operation of operations(which)) {
      for (const gate of [gateOf("request", operation), gateOf("answer", operation)]) {
        this.#gates.get(gate)?.resolve();
        this.#gates.delete(gate);
      }
    }
    for (const watch of this.#watches) watch.flush();
  }

  /** Carries out the next operations of a kind, but has their answers lost: whoever asks sees a time-out. */
  dropAnswers(operation: Exclude<Operation, "watch">, times = 1): void {
    this.#dropped.set(operation, times);
  }

  /** Ends the streams of open watches; new ones work. */
  breakWatches(error: RegistryError = refusal("unavailable", "has closed the watch")): void {
    for (const watch of this.#watches) watch.end(error);
  }

  /** Has open watches lose what comes next, without a word: so many batches of each. */
  loseEvents(batches = 1): void {
    for (const watch of this.#watches) watch.lose(batches);
  }

  /** Tells open watches how far they are, as etcd does now and then. */
  progress(): void {
    for (const watch of this.#watches) watch.progress(this.store.revision);
  }

  /** Forgets what was before a revision, by default before the latest. */
  compact(revision: number = this.store.revision): void {
    this.store.compact(revision);
  }

  /** Ends a lease as if its time were over. */
  expireLease(id: string): void {
    this.store.endLease(id);
  }

  /** Lets time pass for leases alone. */
  advance(milliseconds: number): void {
    this.store.advance(milliseconds);
  }

  range(range: KeyRange, options?: RangeOptions): Promise<RangePage> {
    return this.#call("range", () => this.store.range(range, options));
  }

  txn(compares: readonly Compare[], ops: readonly Op[], otherwise?: readonly Op[]): Promise<TxnResult> {
    return this.#call("txn", () => {
      const result = this.store.txn(compares, ops, otherwise);
      this.txns.push({ compares, ops, succeeded: result.succeeded, revision: result.revision });
      return result;
    });
  }

  grantLease(ttlSeconds: number): Promise<string> {
    return this.#call("grantLease", () => this.store.grantLease(ttlSeconds));
  }

  keepLeaseAlive(id: string): Promise<number> {
    return this.#call("keepLeaseAlive", () => this.store.keepLeaseAlive(id));
  }

  revokeLease(id: string): Promise<void> {
    return this.#call("revokeLease", () => this.store.endLease(id));
  }

  async watch(
    ranges: readonly { readonly range: KeyRange; readonly from: number }[],
    signal: AbortSignal,
    onBatch: (batch: WatchBatch) => void,
    onOpen: () => void,
  ): Promise<void> {
    signal.throwIfAborted();
    await this.#arrive("watch");
    if (signal.aborted) return;
    const watch = new Watching(ranges, onBatch, () => this.#gates.has(gateOf("answer", "watch")));
    const leave = this.store.onCommit((commit) => watch.take(commit));
    const stop = (): void => watch.end(null);
    signal.addEventListener("abort", stop);
    this.#watches.add(watch);
    try {
      onOpen();
      watch.catchUp(this.store);
      await watch.over;
    } finally {
      this.#watches.delete(watch);
      signal.removeEventListener("abort", stop);
      leave();
    }
  }

  /** Closes this client; its store goes on for others. */
  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.end(null);
  }

  async #call<T>(operation: Exclude<Operation, "watch">, carryOut: () => T): Promise<T> {
    const asked = this.history.asking();
    await this.#arrive(operation);
    const result = carryOut();
    const { clusterID, revision } = this.store;
    const dropped = this.#dropped.get(operation) ?? 0;
    this.#dropped.set(operation, Math.max(0, dropped - 1));
    await this.#pass("answer", operation);
    if (dropped > 0) throw refusal("timeout", "did not answer in time: the answer was lost");
    if (operation === "range" || operation === "txn") this.history.take({ clusterID, revision }, asked);
    return result;
  }

  /** Brings a request to etcd, or fails it on its way. */
  async #arrive(operation: Operation): Promise<void> {
    this.asked.set(operation, (this.asked.get(operation) ?? 0) + 1);
    await this.#pass("request", operation);
    if (this.#isClosed) throw new RegistryError("closed", "the etcd client has been closed");
    const failure = this.#failures.get(operation);
    if (failure === undefined) return;
    if (--failure.times <= 0) this.#failures.delete(operation);
    throw failure.error;
  }

  async #pass(place: Place, operation: Operation): Promise<void> {
    const gate = this.#gates.get(gateOf(place, operation));
    if (gate === undefined) return;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(refusal("timeout", "did not answer in time")), this.#requestTimeoutMs);
    try {
      await Promise.race([gate.promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One open watch of several ranges: what it has not told yet, and how it ends. */
class Watching {
  readonly #ranges: readonly { readonly range: KeyRange; readonly from: number }[];
  readonly #onBatch: (batch: WatchBatch) => void;
  readonly #isHeld: () => boolean;
  readonly #ended = Promise.withResolvers<void>();
  #waiting: WatchBatch[] = [];
  #toLose = 0;
  #isOver = false;

  constructor(
    ranges: readonly { readonly range: KeyRange; readonly from: number }[],
    onBatch: (batch: WatchBatch) => void,
    isHeld: () => boolean,
  ) {
    this.#ranges = ranges;
    this.#onBatch = onBatch;
    this.#isHeld = isHeld;
    this.#ended.promise.catch(() => undefined); // it may end before anybody waits for that
  }

  /** Fulfilled when it was asked to end, rejected where it broke. */
  get over(): Promise<void> {
    return this.#ended.promise;
  }

  /** Takes what was committed before the watch began. */
  catchUp(store: FakeEtcdStore): void {
    try {
      const first = Math.min(...this.#ranges.map(({ from }) => from));
      for (const commit of store.commitsFrom(first)) this.take(commit);
    } catch (error) {
      this.end(error);
    }
  }

  take({ revision, events }: Commit): void {
    for (const [index, { range, from }] of this.#ranges.entries()) {
      if (revision < from) continue;
      const seen = events.filter((event) => {
        const key = event.kind === "put" ? event.keyValue.key : event.key;
        return range.start <= key && key < range.end;
      });
      if (seen.length > 0) this.#tell({ range: index, revision, events: seen });
    }
  }

  progress(revision: number): void {
    for (const range of this.#ranges.keys()) this.#tell({ range, revision, events: [] });
  }

  /** Tells what waits, unless that is held up. */
  flush(): void {
    while (!this.#isOver && !this.#isHeld()) {
      const batch = this.#waiting.shift();
      if (batch === undefined) return;
      this.#onBatch(batch);
    }
  }

  /** @param error null: it was asked to end */
  end(error: unknown): void {
    this.#isOver = true;
    if (error === null) this.#ended.resolve();
    else this.#ended.reject(error);
  }

  /** Loses batches of events to come. */
  lose(batches: number): void {
    this.#toLose = batches;
  }

  #tell(batch: WatchBatch): void {
    if (batch.events.length > 0 && this.#toLose > 0) {
      this.#toLose--;
      return;
    }
    this.#waiting.push(batch);
    queueMicrotask(() => this.flush());
  }
}

const OPERATIONS: readonly Operation[] = ["range", "txn", "watch", "grantLease", "keepLeaseAlive", "revokeLease"];

function operations(which: Which): readonly Operation[] {
  return which === "all" ? OPERATIONS : [which];
}

function gateOf(place: Place, operation: Operation): string {
  return `${place} of ${operation}`;
}

import { setTimeout as sleep } from "node:timers/promises";
import { backoff } from "../loop/backoff.ts";
import { type Change, ClusterState, type KeyValue } from "./cluster-state.ts";
import { RegistryError } from "./errors.ts";
import type { Etcd, WatchBatch } from "./etcd.ts";
import type { KeyRange, Keys } from "./keys.ts";

/** Hears of changes once the mirror's state holds them. Changes of one etcd transaction come together. */
export type ChangeListener = (changes: readonly Change[], revision: number) => void;

/** What a mirror needs. */
export interface MirrorOptions {
  readonly etcd: Etcd;
  readonly keys: Keys;
  readonly ranges: readonly KeyRange[];
  /** Null: watch. A number: read everything anew after so many milliseconds instead. */
  readonly pollMs: number | null;
  /** Keys a page when everything is listed; by default 2000, well below what gRPC takes in one message. */
  readonly pageSize?: number;
  /** Hears of what goes wrong and is tried again: one sentence each. */
  readonly onTrouble: (error: RegistryError) => void;
}

const PAGE_SIZE = 2000;

/**
 * A copy of a part of the registry, kept up to date: listed at one revision in pages, then watched from the next one.
 * After a broken stream it goes on where it was; after a compaction it lists anew and tells the differences. Until the
 * first list is whole there is no state to act on: `ready` says when. When etcd is away the last state stays.
 */
export class Mirror {
  readonly state: ClusterState;
  readonly #options: MirrorOptions;
  readonly #known = new Map<string, number>();
  readonly #revisions: number[];
  readonly #listeners = new Set<ChangeListener>();
  readonly #waiters = new Set<{ range: number; revision: number; done: (seen: boolean) => void }>();
  readonly #ready = Promise.withResolvers<void>();
  #isListed = false;
  #isConnected = false;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.state = new ClusterState(options.keys);
    this.#revisions = options.ranges.map(() => 0);
  }

  /** Fulfilled once the first list is complete. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }
  /** Whether the first list is complete. */
  get isReady(): boolean {
    return this.#isListed;
  }
  /** Whether changes are being followed right now. */
  get isConnected(): boolean {
    return this.#isConnected;
  }
  /** Everything up to this etcd revision is in the state. */
  get revision(): number {
    return Math.min(...this.#revisions);
  }

  /** Adds a listener. Returns a function that takes it away. */
  onChanges(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps the copy up to date until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const { pollMs } = this.#options;
        if (!this.#isListed || pollMs !== null) await this.#list(signal);
        if (pollMs === null) {
          await this.#follow(signal, () => {
            failures = 0;
          });
        } else {
          failures = 0;
          await sleep(pollMs, undefined, { signal });
        }
      } catch (error) {
        this.#isConnected = false;
        if (signal.aborted) break;
        if (!(error instanceof RegistryError)) throw error;
        if (error.code === "compacted") this.#isListed = false;
        this.#options.onTrouble(error);
        await sleep(backoff(failures++), undefined, { signal }).catch(() => undefined);
      }
    }
    this.#isConnected = false;
    for (const waiter of this.#waiters) waiter.done(false);
  }

  /**
   * Waits until a write made at `revision` under `key` is in the state, so that a client reads its own writes.
   *
   * @returns false where that did not happen within the time given
   */
  waitFor(key: string, revision: number, timeoutMs: number): Promise<boolean> {
    const range = this.#options.ranges.findIndex(({ start, end }) => start <= key && key < end);
    if (range < 0) throw new Error(`${key} is in none of the mirror's ranges`);
    if ((this.#revisions[range] ?? 0) >= revision) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const done = (seen: boolean): void => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
      resolve(seen);
    };
    const timer = setTimeout(() => done(false), timeoutMs);
    const waiter = { range, revision, done };
    this.#waiters.add(waiter);
    return promise;
  }

  /** Reads everything at one revision, and turns what differs from the state into changes. */
  async #list(signal: AbortSignal): Promise<void> {
    const found = new Map<string, KeyValue>();
    let revision: number | undefined;
    for (const range of this.#options.ranges) {
      let after: string | undefined;
      for (;;) {
        signal.throwIfAborted();
        const page = await this.#options.etcd.range(range, {
          after,
          limit: this.#options.pageSize ?? PAGE_SIZE,
          revision,
        });
        revision ??= page.revision;
        for (const keyValue of page.keyValues) found.set(keyValue.key, keyValue);
        after = page.keyValues.at(-1)?.key;
        if (!page.more || after === undefined) break;
      }
    }
    const at = revision ?? 0;
    const changes: (Change | null)[] = [];
    for (const key of [...this.#known.keys()]) {
      if (!found.has(key)) changes.push(this.#delete(key, at));
    }
    for (const keyValue of found.values()) {
      if (this.#known.get(keyValue.key) !== keyValue.modRevision) changes.push(this.#put(keyValue));
    }
    const isFirst = !this.#isListed;
    this.#isListed = true;
    this.#isConnected = this.#options.pollMs !== null;
    this.#revisions.fill(at);
    this.#tell(changes, at);
    if (isFirst) this.#ready.resolve();
  }

  async #follow(signal: AbortSignal, onOpen: () => void): Promise<void> {
    const ranges = this.#options.ranges.map((range, index) => ({ range, from: (this.#revisions[index] ?? 0) + 1 }));
    const onBatch = ({ range, revision, events }: WatchBatch): void => {
      const changes = events.map((event) =>
        event.kind === "put" ? this.#put(event.keyValue) : this.#delete(event.key, event.revision),
      );
      // A resumed stream may repeat what is known; it must never lead back.
      this.#revisions[range] = Math.max(this.#revisions[range] ?? 0, revision);
      this.#tell(changes, revision);
    };
    await this.#options.etcd.watch(ranges, signal, onBatch, () => {
      this.#isConnected = true;
      onOpen();
    });
  }

  #put(keyValue: KeyValue): Change | null {
    if ((this.#known.get(keyValue.key) ?? 0) >= keyValue.modRevision) return null;
    this.#known.set(keyValue.key, keyValue.modRevision);
    return this.state.put(keyValue);
  }

  #delete(key: string, revision: number): Change | null {
    if ((this.#known.get(key) ?? Number.POSITIVE_INFINITY) > revision) return null;
    this.#known.delete(key);
    return this.state.delete(key, revision);
  }

  #tell(changes: readonly (Change | null)[], revision: number): void {
    const real = changes.filter((change) => change !== null);
    if (real.length > 0) for (const listener of this.#listeners) listener(real, revision);
    for (const waiter of this.#waiters) {
      if ((this.#revisions[waiter.range] ?? 0) >= waiter.revision) waiter.done(true);
    }
  }
}

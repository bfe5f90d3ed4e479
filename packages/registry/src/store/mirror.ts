import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import {
  type Change,
  ClusterState,
  type KeyRange,
  type Keys,
  type KeyValue,
  RegistryError,
} from "@fleet/domain/cluster";
import { backoff, SaidOnce } from "@fleet/loop";
import type { Etcd, WatchBatch, WatchEvent } from "./etcd.ts";
import { isIn, missedChanges } from "./mirror-check.ts";
import { CompletedBatches, MissingSections } from "./missing-sections.ts";
import { RangeReader } from "./range-reader.ts";
import { RevisionWaiters } from "./revision-waiters.ts";

/**
 * Hears of changes once the mirror's state holds them. Changes of one etcd transaction come together. `isGap`: they
 * are the differences that a list has shown after changes were missed; what happened in between is not known. Of the
 * first list each page comes by itself, before the mirror is ready, and once more nothing when it is.
 */
export type ChangeListener = (changes: readonly Change[], revision: number, isGap: boolean) => void;

/** Why a mirror reads everything anew: its watch has lost events, or etcd has another history than before. */
export type ReadAnew = "events-lost" | "restored";

/** What a mirror needs. */
export interface MirrorOptions {
  readonly etcd: Etcd;
  readonly keys: Keys;
  readonly ranges: readonly KeyRange[];
  /** Null: watch. A number: read everything anew after so many milliseconds instead. */
  readonly pollMs: number | null;
  /** Keys a page at most when everything is listed; by default 2,000. Pages are bounded in bytes, too. */
  readonly pageSize?: number;
  /** Milliseconds between two looks whether a watch has lost events; by default a minute, longer for many keys. */
  readonly checkMs?: number;
  /** Hears why everything is read anew. */
  readonly onReadAnew?: (why: ReadAnew) => void;
  /**
   * True: changes come in the order of their revisions, over all ranges. The ranges are then watched as one, with what
   * lies between them; watches of their own would each be in order, but not among each other. By default false.
   */
  readonly inOrder?: boolean;
  /** Hears of what goes wrong and is tried again: one sentence each. */
  readonly onTrouble: (error: RegistryError) => void;
}

const CHECK_MS = 60_000;
/** How much rarer a check is for each key, in milliseconds: one of 100,000 keys comes every ten minutes. */
const CHECK_MS_A_KEY = 6;
/** Keys that are taken in at a stretch. */
const SLICE = 500;

/**
 * A copy of a part of the registry, kept up to date: listed at one revision in pages, then watched from the next one.
 * After a broken stream it goes on where it was; after a compaction it lists anew and tells the differences. Until the
 * first list is whole there is no state to act on: `ready` says when. When etcd is away the last state stays. What a watch
 * has lost without a word, and another history of etcd, it notices by itself, and then reads everything anew.
 */
export class Mirror {
  readonly state: ClusterState;
  readonly #options: MirrorOptions;
  readonly #known = new Map<string, number>();
  readonly #watched: readonly KeyRange[];
  readonly #revisions: number[];
  /** Of each watched range the revision of the last event: what a stream repeats is not taken a second time. */
  readonly #delivered: number[];
  readonly #listeners = new Set<ChangeListener>();
  readonly #waiters = new RevisionWaiters();
  readonly #ready = Promise.withResolvers<void>();
  #isListed = false;
  /** Nothing was asked of etcd since the list. */
  #isFresh = false;
  #hasBeenListed = false;
  #isConnected = false;
  /** Why what is known is not to be trusted; null: it is. */
  #distrust: ReadAnew | null = null;
  /** Aborted when what is followed is not to be trusted any more. */
  #following = new AbortController();
  readonly #reader: RangeReader;
  readonly #sections: MissingSections;
  readonly #readAnewListeners = new Set<(why: ReadAnew) => void>();

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.state = new ClusterState(options.keys);
    this.#watched = options.inOrder === true ? [cover(options.ranges)] : options.ranges;
    this.#revisions = this.#watched.map(() => 0);
    this.#delivered = [...this.#revisions];
    this.#reader = new RangeReader(options.etcd, options.pageSize);
    this.#sections = new MissingSections(options.etcd, options.keys, options.ranges);
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

  /**
   * Keys of units' records that have no `section` in etcd, with the revisions that wrote them: the mirror has read it from the
   * file. Whoever writes them anew takes them out.
   */
  get sectionless(): Map<string, number> {
    return this.#sections.completed;
  }

  /** Adds a listener. Returns a function that takes it away. */
  onChanges(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Adds a listener that hears that everything was read anew, and why, right before the state takes it in and the other
   * listeners hear of the differences. Returns a function that takes it away.
   */
  onReadAnew(listener: (why: ReadAnew) => void): () => void {
    this.#readAnewListeners.add(listener);
    return () => this.#readAnewListeners.delete(listener);
  }

  /** Keeps the copy up to date until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const leave = this.#options.etcd.history.onRestored((why) => this.#readAnew("restored", why));
    try {
      await this.#keep(signal);
    } finally {
      leave();
    }
    this.#isConnected = false;
    this.#waiters.end();
  }

  async #keep(signal: AbortSignal): Promise<void> {
    let failures = 0;
    const trouble = new SaidOnce<RegistryError>((error) => this.#options.onTrouble(error));
    while (!signal.aborted) {
      try {
        const { pollMs } = this.#options;
        if (!this.#isListed || pollMs !== null) await this.#list(signal);
        if (!this.#isListed) continue; // it was of two histories
        const worked = (): void => {
          failures = 0;
          trouble.over();
        };
        if (pollMs === null) {
          await this.#follow(signal, worked);
        } else {
          worked();
          await sleep(pollMs, undefined, { signal });
        }
      } catch (error) {
        this.#isConnected = false;
        if (signal.aborted) break;
        if (!(error instanceof RegistryError)) throw error;
        if (error.code === "compacted") this.#isListed = false;
        trouble.say(error);
        await sleep(backoff(failures++), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** What is known stays, and is not believed: the next thing is a list. */
  #readAnew(why: ReadAnew, detail: string): void {
    this.#distrust = why;
    this.#isListed = false;
    this.#options.onReadAnew?.(why);
    const what = why === "restored" ? "etcd was restored from a backup or replaced" : "a watch has lost events";
    this.#options.onTrouble(new RegistryError(why, `${what}: ${detail}; everything is read anew`));
    this.#following.abort();
  }

  /**
   * Waits until a write made at `revision` under `key` is in the state, so that a client reads its own writes.
   *
   * @returns false where that did not happen within the time given
   */
  waitFor(key: string, revision: number, timeoutMs: number): Promise<boolean> {
    const range = this.#watched.findIndex((candidate) => isIn(candidate, key));
    if (range < 0) throw new Error(`${key} is in none of the mirror's ranges`);
    if ((this.#revisions[range] ?? 0) >= revision) return Promise.resolve(true);
    return this.#waiters.wait(range, revision, timeoutMs);
  }

  /**
   * The same for a key that was written at exactly that revision, and has not been since: where the watch has come so far
   * without it, it has lost the event. Everything is read anew then, and that is waited for.
   *
   * @param isThere whether the key was put; false: it was deleted
   * @throws RegistryError where etcd does not answer
   */
  async waitForWrite(key: string, revision: number, isThere: boolean, timeoutMs: number): Promise<boolean> {
    const endsAt = performance.now() + timeoutMs;
    if (!(await this.waitFor(key, revision, timeoutMs))) return false;
    if (!(await this.#hasLost(key, revision, isThere))) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), Math.max(0, endsAt - performance.now()));
    const forget = this.onReadAnew(() => resolve(true));
    if (this.#isListed) this.#readAnew("events-lost", `${key} was written at revision ${revision}`);
    const isReadAnew = await promise;
    clearTimeout(timer);
    forget();
    return isReadAnew;
  }

  /** Whether a write is not here that the watch has gone past. A key that is not here may have been deleted since. */
  async #hasLost(key: string, revision: number, isThere: boolean): Promise<boolean> {
    const known = this.#known.get(key);
    if (known !== undefined) return known < revision;
    if (!isThere) return false;
    const { keyValues } = await this.#options.etcd.range({ start: key, end: `${key}\0` }, { limit: 1, keysOnly: true });
    return keyValues.length > 0 && !this.#known.has(key);
  }

  /**
   * Reads everything at one revision, page by page, and turns what differs from the state into changes. At the first list
   * each page is told by itself, so that nobody is kept busy long; a later one is told as a whole.
   */
  async #list(signal: AbortSignal): Promise<void> {
    // A first list that broke off half-way is followed by one that must also find what has gone meanwhile.
    const isFresh = this.#known.size === 0;
    const isPolling = this.#options.pollMs !== null;
    const distrust = this.#distrust;
    this.#distrust = null;
    /** What a list has found; null: a key that is known as it is. */
    const found = new Map<string, KeyValue | null>();
    let revision: number | undefined;
    try {
      for (const range of this.#options.ranges) {
        for await (const page of this.#reader.pages(range, revision, signal)) {
          signal.throwIfAborted();
          revision ??= page.revision;
          if (isFresh) await this.#takeIn(await this.#sections.complete(page.keyValues), revision, signal);
          else await this.#findIn(page.keyValues, found, distrust !== null);
        }
      }
    } catch (error) {
      this.#distrust ??= distrust;
      throw error;
    }
    if (this.#distrust !== null) return; // noticed meanwhile: the pages may be of two histories
    const at = revision ?? 0;
    if (distrust !== null) for (const listener of this.#readAnewListeners) listener(distrust);
    const changes = isFresh ? [] : this.#replace(found, at);
    const isGap = this.#hasBeenListed && !isPolling;
    const isFirst = !this.#hasBeenListed;
    this.#isListed = true;
    this.#isFresh = true;
    this.#hasBeenListed = true;
    this.#isConnected = isPolling;
    this.#revisions.fill(at);
    this.#delivered.fill(at);
    this.#tell(changes, at, isGap, isFirst);
    this.#ready.resolve();
  }

  /** Adds what a page of a later list has. `isAnew`: what is known is not believed. */
  async #findIn(keyValues: readonly KeyValue[], found: Map<string, KeyValue | null>, isAnew: boolean): Promise<void> {
    const news = keyValues.filter(({ key, modRevision }) => isAnew || this.#known.get(key) !== modRevision);
    for (const { key } of keyValues) found.set(key, null);
    for (const keyValue of await this.#sections.complete(news)) found.set(keyValue.key, keyValue);
  }

  /** Takes in what a list has found, all at once: readers of the state must not see one half new and the other old. */
  #replace(found: ReadonlyMap<string, KeyValue | null>, revision: number): readonly (Change | null)[] {
    const changes: (Change | null)[] = [];
    for (const key of [...this.#known.keys()]) {
      if (found.has(key)) continue;
      this.#known.delete(key);
      changes.push(this.state.delete(key, revision));
    }
    for (const keyValue of found.values()) {
      if (keyValue === null) continue;
      this.#known.set(keyValue.key, keyValue.modRevision);
      changes.push(this.state.put(keyValue));
    }
    return changes.sort((a, b) => (a?.revision ?? 0) - (b?.revision ?? 0));
  }

  /** Takes in and tells a page of the first list, in slices: nobody is kept busy long. */
  async #takeIn(keyValues: readonly KeyValue[], revision: number, signal: AbortSignal): Promise<void> {
    for (let start = 0; start < keyValues.length; start += SLICE) {
      signal.throwIfAborted();
      const news = keyValues.slice(start, start + SLICE).map((keyValue) => this.#put(keyValue));
      this.#notify(news, revision, false);
      await turn();
    }
  }

  async #follow(signal: AbortSignal, onOpen: () => void): Promise<void> {
    this.#following = new AbortController();
    const following = AbortSignal.any([signal, this.#following.signal]);
    // A watch from a revision that etcd is not at, after a restore, is silent for as long as etcd is not there.
    const [first] = this.#options.ranges;
    if (!this.#isFresh && first !== undefined) await this.#options.etcd.range(first, { limit: 1, keysOnly: true });
    this.#isFresh = false;
    if (following.aborted) return;
    const ranges = this.#watched.map((range, index) => ({ range, from: (this.#revisions[index] ?? 0) + 1 }));
    const checking = this.#check(following).catch((error: unknown) => {
      if (!following.aborted) throw error;
    });
    const completed = new CompletedBatches(this.#sections, following, (batch) => this.#take(batch));
    try {
      const watching = this.#options.etcd.watch(
        ranges,
        following,
        (batch) => completed.add(batch),
        () => {
          this.#isConnected = true;
          // What the stream tells may still not be taken in.
          if (!this.#sections.isFailing) onOpen();
        },
      );
      await Promise.race([watching, checking.then(() => watching), completed.failed]);
    } finally {
      this.#following.abort();
      await checking.catch(() => undefined);
    }
  }

  #take({ range, revision, events }: WatchBatch): void {
    const delivered = this.#delivered[range] ?? 0;
    // A put that is repeated after its key was deleted would bring the key back.
    const news = events.filter((event) => revisionOf(event) > delivered);
    const last = news.at(-1);
    if (last !== undefined) this.#delivered[range] = revisionOf(last);
    const changes = news.map((event) => {
      const key = event.kind === "put" ? event.keyValue.key : event.key;
      if (!this.#options.ranges.some((asked) => isIn(asked, key))) return null;
      return event.kind === "put" ? this.#put(event.keyValue) : this.#delete(key, event.revision);
    });
    this.#revisions[range] = Math.max(this.#revisions[range] ?? 0, revision);
    this.#tell(changes, revision, false);
  }

  /** Looks now and then whether the watch has lost events. */
  async #check(signal: AbortSignal): Promise<void> {
    const { etcd, keys, ranges, checkMs = CHECK_MS } = this.#options;
    while (!signal.aborted) {
      const pauseMs = Math.max(checkMs, this.#known.size * CHECK_MS_A_KEY);
      await sleep(pauseMs / 2 + Math.random() * pauseMs, undefined, { signal });
      try {
        const missed = await missedChanges({ etcd, keys, ranges, known: this.#known }, signal);
        if (missed > 0 && !signal.aborted) this.#readAnew("events-lost", `${missed} keys differ from etcd's`);
      } catch (error) {
        // The watch itself tells of etcd's being away.
        if (!(error instanceof RegistryError)) throw error;
      }
    }
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

  #notify(changes: readonly (Change | null)[], revision: number, isGap: boolean, always = false): void {
    const real = changes.filter((change) => change !== null);
    if (real.length > 0 || isGap || always) for (const listener of this.#listeners) listener(real, revision, isGap);
  }

  #tell(changes: readonly (Change | null)[], revision: number, isGap: boolean, always = false): void {
    this.#notify(changes, revision, isGap, always);
    this.#waiters.reached(this.#revisions);
  }
}

function revisionOf(event: WatchEvent): number {
  return event.kind === "put" ? event.keyValue.modRevision : event.revision;
}

/** The smallest range that has all of these in it. */
export function cover(ranges: readonly KeyRange[]): KeyRange {
  const start = ranges.map((range) => range.start).sort()[0];
  const end = ranges
    .map((range) => range.end)
    .sort()
    .at(-1);
  if (start === undefined || end === undefined) throw new Error("a mirror needs a range");
  return { start, end };
}

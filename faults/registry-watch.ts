import { setTimeout as sleep } from "node:timers/promises";
import { decodeUnit } from "@fleet/domain/cluster";
import { type Etcd, type Keys, type RangePage, RegistryError, type WatchEvent } from "@fleet/registry";
import type { Consistency, Value } from "./consistency.ts";
import type { History } from "./history.ts";
import { type Fits, RegistryView } from "./registry-view.ts";
import { seenAs } from "./session.ts";

/** Malformed values are put under this name. */
const MALFORMED = "broken.service";
const RETRY_MS = 200;

/**
 * Follows every revision of a cluster's keys, and looks at each whether the schedule agrees with the units
 * (invariants 1 and 5).
 */
export class RegistryWatch {
  /** What the keys say at `revision`. */
  readonly view: RegistryView;
  /** Revisions that did nothing but remove texts and notes that say nothing any more. */
  readonly swept = new Set<number>();
  /** The latest that was seen. */
  revision = 0;
  /** When etcd was restored last; null: it was not. */
  restoredAt: Date | null = null;
  readonly #etcd: Etcd;
  readonly #keys: Keys;
  readonly #history: History;
  readonly #consistency: Consistency;
  readonly #stopping = new AbortController();
  /** Ends the watch that is open. */
  #following = new AbortController();
  /** While etcd is restored: nothing is followed until it is there again, and was read anew. */
  #restoring: { readonly isThere: PromiseWithResolvers<void>; readonly isRead: PromiseWithResolvers<void> } | null =
    null;
  #done: Promise<void> = Promise.resolve();

  constructor(etcd: Etcd, keys: Keys, history: History, consistency: Consistency, fits: Fits) {
    this.#consistency = consistency;
    this.#etcd = etcd;
    this.#keys = keys;
    this.#history = history;
    this.view = new RegistryView(keys, fits);
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#restoring?.isThere.resolve();
    await this.#done;
  }

  /** Follows nothing from here on: etcd is about to be restored, and what it says next is of another history. */
  restoring(): void {
    this.#restoring = { isThere: Promise.withResolvers(), isRead: Promise.withResolvers() };
    this.#following.abort();
  }

  /** A restored etcd is there: fulfilled when all of it was read anew. Calls of this round are held to nothing. */
  async restored(): Promise<void> {
    this.#restoring?.isThere.resolve();
    await this.#restoring?.isRead.promise;
  }

  /**
   * Waits until it has seen what etcd has now.
   *
   * @throws RegistryError where etcd does not answer
   */
  async caughtUp(): Promise<void> {
    const { revision } = await this.#etcd.range(this.#range, { limit: 1 });
    while (this.revision < revision && !this.#stopping.signal.aborted) await sleep(RETRY_MS);
  }

  get #range(): { readonly start: string; readonly end: string } {
    const { prefix } = this.#keys;
    return { start: prefix, end: `${prefix.slice(0, -1)}0` };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      if (this.#restoring !== null) {
        await this.#restoring.isThere.promise;
        await this.#beginAnew();
        this.#restoring.isRead.resolve();
        this.#restoring = null;
      }
      this.#following = new AbortController();
      try {
        await this.#etcd.watch(
          [{ range: this.#range, from: this.revision + 1 }],
          AbortSignal.any([signal, this.#following.signal]),
          ({ revision, events }) => this.#take(revision, events),
          () => undefined,
        );
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        if (error.code === "compacted") await this.#readAnew();
        await sleep(RETRY_MS);
      }
    }
  }

  /** What was seen is of a history that is no more: takes what etcd has now. */
  async #beginAnew(): Promise<void> {
    this.restoredAt = new Date();
    this.view.reigns.length = 0;
    this.#consistency.beginAnew();
    while (!this.#stopping.signal.aborted && !(await this.#readAnew())) await sleep(RETRY_MS);
  }

  /**
   * Nothing can be said of what was compacted away before it was seen: begins anew from what is there.
   *
   * @returns whether etcd has answered
   */
  async #readAnew(): Promise<boolean> {
    let page: RangePage;
    try {
      page = await this.#etcd.range(this.#range);
    } catch (error) {
      if (error instanceof RegistryError) return false;
      throw error;
    }
    this.view.clear();
    const events = page.keyValues.map((keyValue): WatchEvent => ({ kind: "put", keyValue }));
    const touched = events.map((event) => this.view.apply(modRevisionOf(event), event));
    this.revision = page.revision;
    const values = events.flatMap((event) => {
      const name = this.#unitOf(event);
      return name === null ? [] : [[name, valueIn(event)] as const];
    });
    this.#consistency.readAnew(page.revision, new Map(values));
    this.#history.append("etcd", `${page.revision} read anew: ${events.length} keys`);
    this.#check(page.revision, touched);
    return true;
  }

  #take(revision: number, events: readonly WatchEvent[]): void {
    const byRevision = Map.groupBy(events, modRevisionOf);
    for (const at of [...byRevision.keys()].sort((a, b) => a - b)) {
      if (at <= this.revision) continue;
      const changes = byRevision.get(at) ?? [];
      if (changes.every((event) => this.view.isSweep(event))) this.swept.add(at);
      const touched = changes.map((event) => this.view.apply(at, event));
      for (const event of changes) {
        const name = this.#unitOf(event);
        if (name !== null) this.#consistency.version(name, at, valueIn(event));
      }
      this.#history.append("etcd", `${at} ${changes.map(said).join("; ")}`);
      this.revision = at;
      this.#check(at, touched);
    }
    this.revision = Math.max(this.revision, revision);
  }

  /** The unit whose record an event is about; null: another key's. */
  #unitOf(event: WatchEvent): string | null {
    const parsed = this.#keys.parse(event.kind === "put" ? event.keyValue.key : event.key);
    return parsed?.kind === "unit" ? parsed.name : null;
  }

  /** @param touched units that changes were about, in their order; null: another key's change */
  #check(revision: number, touched: readonly (string | null)[]): void {
    for (const name of new Set(touched)) {
      if (name === null || name === MALFORMED) continue;
      for (const { invariant, text } of this.view.violations(revision, name)) this.#history.break(invariant, text);
    }
  }
}

/** What users see of a unit by its record; null: there is none, or none that is understood. */
function valueIn(event: WatchEvent): Value {
  const record = event.kind === "put" ? decodeUnit(event.keyValue.value) : null;
  return record === null ? null : seenAs(record.hash, record.desiredState);
}

function modRevisionOf(event: WatchEvent): number {
  return event.kind === "put" ? event.keyValue.modRevision : event.revision;
}

/** An event, for the history; of long values the beginning. */
function said(event: WatchEvent): string {
  if (event.kind === "delete") return `del ${event.key}`;
  return `put ${event.keyValue.key} ${event.keyValue.value.slice(0, 200)}`;
}

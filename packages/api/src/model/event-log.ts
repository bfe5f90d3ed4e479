import type { FleetEvent } from "@fleet/client/description";
import { BoundedCache } from "@fleet/domain/cache";
import { type Change, eventsOf } from "@fleet/domain/cluster";
import type { KeptEvents, LogEntry } from "./event-entries.ts";
import type { EventFilter } from "./event-filter.ts";

/** Where a reader begins. */
export type Position =
  /** The number of the next entry to read. */
  | { readonly kind: "at"; readonly next: number }
  /** Events after the requested revision are no longer kept; `next` is the oldest that is, `oldest` its revision. */
  | { readonly kind: "gap"; readonly next: number; readonly oldest: number };

/** Changes that came together. */
export interface ChangeBatch {
  readonly changes: readonly Change[];
  /** The etcd revision that the log is complete up to with them. */
  readonly revision: number;
  /** When they were heard of. */
  readonly time: Date;
  /** Before which time they did not happen, where they are heard of late. */
  readonly notBefore?: string;
  /**
   * What was missed before them, as a sentence, and the changes are the differences that it has left. `isOtherHistory`: etcd
   * was restored from a backup, so revisions from before mean nothing.
   */
  readonly missed?: { readonly message: string; readonly isOtherHistory: boolean };
}

/** How much is kept. */
export interface LogSize {
  /** So many of the latest entries are kept however old they are. */
  readonly least: number;
  /** No more than so many are kept however new they are. */
  readonly most: number;
}

const SIZE: LogSize = { least: 8_000, most: 32_000 };
/** How long entries are kept of which there is room for more. */
const KEPT_MS = 3_600_000;
/** Events whose JSON is kept. */
const MOST_TEXTS = 256;

/**
 * The events of the last hour, or more where they are few, in the order of their revisions. Entries are numbered, and a
 * reader's position is the number of its next one.
 */
export class EventLog {
  readonly #size: LogSize;
  #entries: LogEntry[] = [];
  /** The latest events as JSON, made once for all readers. */
  readonly #texts = new BoundedCache<number, string>(MOST_TEXTS);
  /** The number of the oldest entry that is kept. */
  #first = 0;
  /** Everything after this revision, up to `revision`, is kept; null: the log has not started. */
  #since: number | null = null;
  #revision = 0;

  constructor(size: LogSize = SIZE) {
    this.#size = size;
  }

  /** Starts the log with what is known of the past, or with what happens after a revision. */
  start(past: Pick<KeptEvents, "since" | "revision" | "entries">): void {
    this.#since = past.since;
    this.#revision = past.revision;
    this.#entries = [...past.entries];
  }

  /** The etcd revision up to which the log is complete. */
  get revision(): number {
    return this.#revision;
  }
  /** The number that the next entry will have. */
  get next(): number {
    return this.#first + this.#entries.length;
  }
  /** The number of the oldest entry that is kept. */
  get first(): number {
    return this.#first;
  }

  /** All of it, as of a time up to which nothing was missed. */
  kept(now: Date): KeptEvents {
    const { since, revision } = { since: this.#since ?? 0, revision: this.#revision };
    return { since, revision, at: now.toISOString(), entries: [...this.#entries] };
  }

  /** Notes that nothing has happened up to a revision. */
  reach(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
  }

  /** Appends the events of changes. Returns what has come to the log. */
  append({ changes, revision, time, notBefore, missed }: ChangeBatch): readonly LogEntry[] {
    if (this.#since === null) return [];
    const added: LogEntry[] = [];
    const at = time.toISOString();
    if (missed !== undefined) {
      if (missed.isOtherHistory) this.#forget(revision);
      added.push({ kind: "gap", revision, time: at, message: missed.message });
    }
    const late = notBefore === undefined ? {} : { notBefore };
    for (const change of changes) {
      for (const event of eventsOf(change))
        added.push({ ...event, time: at, ...late, revision: missed === undefined ? event.revision : revision });
    }
    for (const entry of added) this.#entries.push(entry);
    this.#revision = Math.max(this.#revision, revision);
    this.#dropOld(new Date(time.getTime() - KEPT_MS).toISOString());
    return added;
  }

  /** Where a reader that has read up to a revision continues. */
  after(revision: number): Position {
    if (this.#since === null || revision < this.#since) {
      // What the reader is told here needs not be told a second time.
      const isTold = this.#entries[0]?.kind === "gap";
      return { kind: "gap", next: this.#first + (isTold ? 1 : 0), oldest: this.#since ?? this.#revision };
    }
    return { kind: "at", next: this.#first + this.#entries.findLastIndex((entry) => entry.revision <= revision) + 1 };
  }

  /** An entry by its number; null: no longer kept, or not there yet. */
  entry(number: number): LogEntry | null {
    return this.#entries[number - this.#first] ?? null;
  }

  /** An event as JSON. */
  text(number: number, event: FleetEvent): string {
    return this.#texts.getOrMake(number, () => JSON.stringify(event));
  }

  /** Whether a later event of the same revision passes the filter too. */
  hasMoreOfRevision(number: number, filter: EventFilter): boolean {
    const revision = this.entry(number)?.revision;
    for (let later = number + 1; ; later++) {
      const entry = this.entry(later);
      if (entry === null || entry.revision !== revision) return false;
      if (entry.kind !== "gap" && filter.passes(entry)) return true;
    }
  }

  #forget(revision: number): void {
    this.#first = this.next;
    this.#entries = [];
    this.#since = revision;
    // Lower than before where etcd was restored from a backup.
    this.#revision = revision;
  }

  /** Dropping many at a time saves a full log from copying itself for each event. */
  #dropOld(before: string): void {
    const { least, most } = this.#size;
    const { length } = this.#entries;
    if (length <= least * 1.25) return;
    const young = this.#entries.findIndex(({ time }) => time >= before);
    const count = Math.min(length - least, Math.max(length - most, young < 0 ? length : young));
    if (count <= least / 4) return;
    this.#since = this.#entries[count - 1]?.revision ?? this.#since;
    this.#entries = this.#entries.slice(count);
    this.#first += count;
  }
}

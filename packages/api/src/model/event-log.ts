import type { FleetEvent } from "@fleet/client/description";
import { BoundedCache } from "@fleet/domain/cache";
import { type Change, eventsOf } from "@fleet/domain/cluster";
import type { EventFilter } from "./event-filter.ts";

/** Where a reader begins. */
export type Position =
  /** The number of the next event to read. */
  | { readonly kind: "at"; readonly next: number }
  /** Events after the requested revision are no longer kept; `next` is the oldest that is, `oldest` its revision. */
  | { readonly kind: "gap"; readonly next: number; readonly oldest: number };

/** Events whose JSON is kept. */
const MOST_TEXTS = 256;

/**
 * The latest events, in the order of their revisions; the oldest are dropped. Events are numbered from 0, and a
 * reader's position is the number of its next event.
 */
export class EventLog {
  readonly #capacity: number;
  #events: FleetEvent[] = [];
  /** The latest events as JSON, made once for all readers. */
  readonly #texts = new BoundedCache<number, string>(MOST_TEXTS);
  /** The number of the oldest event that is kept. */
  #first = 0;
  /** Every event after this revision, up to `revision`, is kept; null: the log has not started. */
  #since: number | null = null;
  #revision = 0;
  #gaps = 0;

  /** @param capacity how many events are kept */
  constructor(capacity = 8_000) {
    this.#capacity = capacity;
  }

  /** Starts the log: it holds what happens after this revision. */
  start(revision: number): void {
    this.#since = revision;
    this.#revision = revision;
  }

  /** The etcd revision up to which the log is complete. */
  get revision(): number {
    return this.#revision;
  }
  /** The number that the next event will have. */
  get next(): number {
    return this.#first + this.#events.length;
  }
  /** The number of the oldest event that is kept. */
  get first(): number {
    return this.#first;
  }
  /** How often the server itself has missed events. */
  get gaps(): number {
    return this.#gaps;
  }

  /**
   * Appends the events of changes.
   *
   * @param isGap true: the server has missed events, and the changes are the differences since. Events from before are
   * dropped, as readers could not tell what is missing between
   */
  append(changes: readonly Change[], revision: number, time: Date, isGap: boolean): void {
    if (this.#since === null) return;
    if (isGap) {
      this.#first = this.next;
      this.#events = [];
      this.#gaps++;
      this.#since = revision;
      // Lower than before where etcd was restored from a backup.
      this.#revision = revision;
    }
    const at = time.toISOString();
    for (const change of changes) {
      for (const event of eventsOf(change)) {
        this.#events.push({ ...event, time: at, revision: isGap ? revision : event.revision });
      }
    }
    this.#revision = Math.max(this.#revision, revision);
    // Dropping many at a time saves a full log from copying itself for each event.
    if (this.#events.length > this.#capacity * 1.25) this.#drop(this.#events.length - this.#capacity);
  }

  /** Where a reader that has read up to a revision continues. */
  after(revision: number): Position {
    if (this.#since === null || revision < this.#since) {
      return { kind: "gap", next: this.#first, oldest: this.#since ?? this.#revision };
    }
    let index = this.#events.length;
    while (index > 0 && (this.#events[index - 1]?.revision ?? 0) > revision) index--;
    return { kind: "at", next: this.#first + index };
  }

  /** An event by its number; null: no longer kept, or not there yet. */
  event(number: number): FleetEvent | null {
    return this.#events[number - this.#first] ?? null;
  }

  /** An event as JSON. */
  text(number: number): string {
    return this.#texts.getOrMake(number, () => JSON.stringify(this.event(number)));
  }

  /** Whether a later event of the same revision passes the filter too. */
  hasMoreOfRevision(number: number, filter: EventFilter): boolean {
    const revision = this.event(number)?.revision;
    for (let later = number + 1; this.event(later)?.revision === revision; later++) {
      const event = this.event(later);
      if (event === null) return false;
      if (filter.passes(event)) return true;
    }
    return false;
  }

  #drop(count: number): void {
    this.#since = this.#events[count - 1]?.revision ?? this.#since;
    this.#events = this.#events.slice(count);
    this.#first += count;
  }
}

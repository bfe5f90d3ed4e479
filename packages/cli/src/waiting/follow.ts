import type { ClusterClient, EventFilter } from "../client/cluster-client.ts";
import { CommandError } from "../errors.ts";

/** Whoever waits for a change of the cluster. */
export interface Follower {
  /** Fulfilled at the next change, also at one since the last call; after so many milliseconds; or when it is stopped. */
  next(atMostMs: number): Promise<void>;
  stop(): void;
}

/** Even a server that tells its changes is asked now and then: an event is a hint, not a promise. */
const SAFETY_MS = 30_000;
const FIRST_PAUSE_MS = 15;
const MOST_PAUSE_MS = 500;

/** More units than these are not named in the request for their events: all events are followed. */
const MOST_NAMED = 50;

/** Follows what may change units: what happens to them. */
export function followUnits(client: ClusterClient, names: readonly string[]): Promise<Follower> {
  return follow(client, names.length > MOST_NAMED ? {} : { units: names.map(asGlob) });
}

/** A name as a glob that matches it alone. */
function asGlob(name: string): string {
  return name.replace(/[*?[\]\\]/g, "\\$&");
}

/** Follows changes by the server's events; a server that is too old to tell any is asked again and again. */
export async function follow(client: ClusterClient, filter: EventFilter): Promise<Follower> {
  const stopping = new AbortController();
  let events: AsyncIterable<unknown> | null = null;
  try {
    events = await client.events({ filter, after: null, follow: true }, stopping.signal);
  } catch (error) {
    // A server that can't take on another reader, or is just away, can still be asked.
    if (!(error instanceof CommandError)) throw error;
  }
  return events === null ? new Poller() : new EventFollower(events, stopping);
}

class EventFollower implements Follower {
  readonly #stopping: AbortController;
  #hasChanged = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(events: AsyncIterable<unknown>, stopping: AbortController) {
    this.#stopping = stopping;
    void this.#listen(events);
  }

  async next(atMostMs: number): Promise<void> {
    if (!this.#hasChanged) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, Math.min(atMostMs, this.#isOver ? MOST_PAUSE_MS : SAFETY_MS));
      await promise;
      clearTimeout(timer);
    }
    this.#hasChanged = false;
  }

  stop(): void {
    this.#stopping.abort();
    this.#wake();
  }

  async #listen(events: AsyncIterable<unknown>): Promise<void> {
    try {
      for await (const _event of events) {
        this.#hasChanged = true;
        this.#wake();
      }
    } catch {
      // The stream could not be had again: from now on the waiting side asks by itself, and hears why that fails.
    }
    this.#isOver = true;
    this.#wake();
  }
}

class Poller implements Follower {
  #pauseMs = FIRST_PAUSE_MS;
  #wake: () => void = () => undefined;

  async next(atMostMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, Math.min(atMostMs, this.#pauseMs));
    this.#pauseMs = Math.min(this.#pauseMs * 1.5, MOST_PAUSE_MS);
    await promise;
    clearTimeout(timer);
  }

  stop(): void {
    this.#wake();
  }
}

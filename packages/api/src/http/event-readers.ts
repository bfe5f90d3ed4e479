import type { ServerResponse } from "node:http";
import type { EventFilter } from "../model/event-filter.ts";
import type { EventLog } from "../model/event-log.ts";

/** One client that follows events. It has a position in the log and no queue of its own. */
interface Reader {
  readonly response: ServerResponse;
  readonly filter: EventFilter;
  /** False: its stream ends when it has read all events that are kept. */
  readonly stays: boolean;
  readonly mayRead: () => boolean;
  next: number;
  /** Since when its connection accepts no more data, by performance.now(); null: it accepts data. */
  blockedSince: number | null;
}

/** A quiet stream gets an event this often, so that both sides notice a dead connection. */
const BEAT_MS = 15_000;
/** A connection that accepts no data for so long is closed. */
const BLOCKED_MS = 60_000;
/** How long the last event of a stream may take to be sent. */
const LAST_WORDS_MS = 30_000;

/** How long readers are served in one turn of the event loop. A filter can take 64 globs, and each may be slow. */
const SLICE_MS = 10;
/** After how many events it is looked at the time. */
const EVENTS_A_LOOK = 16;

/** Most readers at a time, of all clients together. */
export const MOST_READERS = 4_000;

/**
 * Serves the log of events to readers as server-sent events. Nothing is buffered for a reader that does not keep up. It
 * falls behind in the log, and once the log has dropped events that it has not read, it gets a last event and is
 * closed.
 */
export class EventReaders {
  readonly #log: EventLog;
  readonly #readers = new Set<Reader>();
  readonly #beat: NodeJS.Timeout;
  /** Readers that have something to be sent, in the order in which they are served. */
  readonly #behind = new Set<Reader>();
  #isScheduled = false;

  constructor(log: EventLog, beatMs = BEAT_MS) {
    this.#log = log;
    this.#beat = setInterval(() => this.#onBeat(), beatMs);
    this.#beat.unref();
  }

  get count(): number {
    return this.#readers.size;
  }

  /**
   * Adds a reader. The head of its answer is sent at once.
   *
   * @param after the revision after which it continues; null: a reader that stays begins now, another one with the
   * oldest event that is kept
   * @param stays false: the stream ends after the latest event
   * @param mayRead whether its client still has the right to read
   */
  add(
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
    filter: EventFilter,
    after: number | null,
    stays: boolean,
    mayRead: () => boolean = () => true,
  ): void {
    response.writeHead(200, {
      ...headers,
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    const from = stays ? this.#log.next : this.#log.first;
    const position = after === null ? { kind: "at" as const, next: from } : this.#log.after(after);
    if (position.kind === "gap") {
      response.write(
        block("gap", null, {
          requested: after,
          oldest: position.oldest,
          message: `events after revision ${after} are no longer kept: the earliest revision to continue from is ${position.oldest}`,
        }),
      );
    } else if (after === null) {
      response.write(this.#revisionBlock());
    } else {
      response.write(": open\n\n");
    }
    const reader: Reader = { response, filter, stays, mayRead, next: position.next, blockedSince: null };
    this.#readers.add(reader);
    response.on("drain", () => {
      reader.blockedSince = null;
      this.#serveSoon(reader);
    });
    response.on("close", () => this.#forget(reader));
    response.on("error", () => this.#forget(reader));
    this.#serveSoon(reader);
  }

  /** Has readers sent what is new in the log. Many calls within one turn of the event loop count as one. */
  wake(): void {
    for (const reader of this.#readers) this.#behind.add(reader);
    this.#schedule();
  }

  #serveSoon(reader: Reader): void {
    this.#behind.add(reader);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#serve(performance.now() + SLICE_MS);
    });
  }

  /** Serves readers in turn until a time; the rest goes on in a later turn of the event loop. */
  #serve(deadline: number): void {
    for (const reader of this.#behind) {
      this.#behind.delete(reader);
      if (!this.#pump(reader, deadline)) this.#behind.add(reader);
      if (performance.now() >= deadline) break;
    }
    if (this.#behind.size > 0) this.#schedule();
  }

  /** Cuts the streams of clients whose right to read was taken away. They hear why when they ask again. */
  cutRevoked(): void {
    for (const reader of this.#readers) if (!reader.mayRead()) this.#revoke(reader);
  }

  #revoke(reader: Reader): void {
    this.#forget(reader);
    reader.response.destroy();
  }

  #forget(reader: Reader): void {
    this.#readers.delete(reader);
    this.#behind.delete(reader);
  }

  /** Ends every stream. Clients reconnect, to this server or another one. */
  close(): void {
    clearInterval(this.#beat);
    for (const { response } of this.#readers) response.end();
    this.#readers.clear();
    this.#behind.clear();
  }

  /**
   * Sends a reader what it has not read, as long as its connection accepts data and until a time.
   *
   * @returns false: there is more for it, and its connection accepts it
   */
  #pump(reader: Reader, deadline: number): boolean {
    const { response, filter } = reader;
    // A token that expires does so without a reload.
    if (!reader.mayRead()) this.#revoke(reader);
    else if (reader.next < this.#log.first && !response.writableEnded)
      this.#cutOff(reader, "events came faster than they were read");
    if (response.writableEnded || response.destroyed || reader.blockedSince !== null) return true;
    while (reader.next < this.#log.next) {
      const number = reader.next++;
      const text = this.#textFor(filter, number);
      if (text !== null && !response.write(text)) {
        reader.blockedSince = performance.now();
        return true;
      }
      if (number % EVENTS_A_LOOK === 0 && performance.now() >= deadline) return false;
    }
    if (!reader.stays) response.end();
    return true;
  }

  /** What a reader is sent of an entry of the log; null: nothing. */
  #textFor(filter: EventFilter, number: number): string | null {
    const entry = this.#log.entry(number);
    if (entry === null || (entry.kind !== "gap" && !filter.passes(entry))) return null;
    // Only the last event of a revision has an id. A client that reconnects before that gets the whole revision again.
    const id = this.#log.hasMoreOfRevision(number, filter) ? null : entry.revision;
    if (entry.kind === "gap") return block("gap", id, { message: entry.message });
    return `${id === null ? "" : `id: ${id}\n`}data: ${this.#log.text(number, entry)}\n\n`;
  }

  #cutOff(reader: Reader, why: string): void {
    this.#forget(reader);
    const { response } = reader;
    response.write(block("cut-off", null, { message: `${why}: read what matters anew, and follow again` }));
    response.end();
    setTimeout(() => response.destroy(), LAST_WORDS_MS).unref();
  }

  #onBeat(): void {
    this.cutRevoked();
    const now = performance.now();
    for (const reader of this.#readers) {
      if (reader.blockedSince === null) {
        if (reader.next === this.#log.next && !reader.response.write(this.#revisionBlock())) reader.blockedSince = now;
      } else if (now - reader.blockedSince > BLOCKED_MS) {
        this.#cutOff(reader, `nothing was read for ${BLOCKED_MS / 1000} s`);
      }
    }
  }

  /** Shows that the stream is alive, and gives the revision from which a client can continue. */
  #revisionBlock(): string {
    return block("revision", this.#log.revision, { revision: this.#log.revision });
  }
}

function block(event: string, id: number | null, data: object): string {
  return `event: ${event}\n${id === null ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

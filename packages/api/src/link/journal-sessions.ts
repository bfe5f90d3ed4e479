import type { ClusterState } from "@fleet/domain/cluster";
import type { HttpJournalReader } from "./http-journal-reader.ts";
import type { JournalQuery } from "./journal-query.ts";
import { JournalSession } from "./journal-session.ts";
import type { Asker } from "./machine-journal.ts";

/** Most readers of journals at a time: each takes a stream of at least one machine, and an API holds 1,000 of them. */
export const MOST_JOURNAL_READERS = 1_000;

interface Running {
  readonly session: JournalSession;
  readonly reader: HttpJournalReader;
}

/** All streams of the journal that this API serves. */
export class JournalSessions {
  readonly #running = new Set<Running>();
  readonly #state: ClusterState;
  readonly #onUnexpected: (error: unknown) => void;
  #isScheduled = false;

  constructor(state: ClusterState, onUnexpected: (error: unknown) => void) {
    this.#state = state;
    this.#onUnexpected = onUnexpected;
  }

  get count(): number {
    return this.#running.size;
  }

  /** Serves a reader until its stream has ended. */
  async serve(asker: Asker, query: JournalQuery, reader: HttpJournalReader): Promise<void> {
    const session = new JournalSession({ state: this.#state, asker, query, reader, signal: reader.gone });
    const running = { session, reader };
    this.#running.add(running);
    try {
      await session.run();
      reader.end();
    } catch (error) {
      this.#onUnexpected(error);
      reader.cutOff("the server met an unexpected error: its log has more");
    } finally {
      this.#running.delete(running);
    }
  }

  /** The cluster has changed. Many calls within one turn of the event loop count as one. */
  wake(): void {
    if (this.#isScheduled || this.#running.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      for (const { session } of this.#running) session.wake();
    });
  }

  /** Cuts the streams of clients whose right to read was taken away. */
  cutRevoked(): void {
    for (const { reader } of this.#running) if (!reader.mayRead()) reader.destroy();
  }

  /** Ends every stream: its reader goes on at another API. */
  close(): void {
    for (const { reader } of this.#running) reader.cutOff("this API stops: go on at another one, after the last entry");
  }
}

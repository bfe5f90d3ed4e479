import { setTimeout as sleep } from "node:timers/promises";
import type { Change } from "@fleet/domain/cluster";
import { AT_REST } from "@fleet/domain/unit";
import { inTimeSlices } from "../http/time-slices.ts";
import type { HttpJournalReader } from "./http-journal-reader.ts";
import type { LinkSession, Rests } from "./link-session.ts";

/** Most readers at a time: each takes a stream of at least one machine, and an API holds 1,000 of them. */
export const MOST_READERS = 1_000;

/** Between two tellings of what has changed in the cluster. */
const TELL_EVERY_MS = 250;
/** Names that are held against one reader's globs between two looks at the time. */
const NAMES_A_LOOK = 64;

interface Running {
  readonly session: LinkSession;
  readonly reader: HttpJournalReader;
}

/** All streams of what machines answer that this API serves: journals, and what machines use. */
export class LinkSessions {
  readonly #running = new Set<Running>();
  readonly #onUnexpected: (error: unknown) => void;
  /** Units that have changed since readers were told. */
  #changed = new Set<string>();
  #rests = new Map<string, Set<string>>();
  #hasMachineNews = false;
  #isTelling = false;

  constructor(onUnexpected: (error: unknown) => void) {
    this.#onUnexpected = onUnexpected;
  }

  get count(): number {
    return this.#running.size;
  }

  /** Serves a reader until its stream has ended. */
  async serve(session: LinkSession, reader: HttpJournalReader): Promise<void> {
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

  /** The cluster has changed. Readers hear of it at once, and of what comes meanwhile in a quarter of a second. */
  wake(changes: readonly Change[]): void {
    if (this.#running.size === 0) return;
    for (const change of changes) {
      if (change.kind === "unit" || change.kind === "state" || change.kind === "ended") this.#changed.add(change.name);
      if (change.kind === "machine") this.#hasMachineNews = true;
      if (change.kind === "state" && change.after !== null && AT_REST.has(change.after.systemd.active))
        this.#rests.set(change.name, (this.#rests.get(change.name) ?? new Set()).add(change.machineID));
    }
    if (this.#isTelling || !this.#hasNews) return;
    this.#isTelling = true;
    void this.#tell().finally(() => {
      this.#isTelling = false;
    });
  }

  get #hasNews(): boolean {
    return this.#changed.size > 0 || this.#hasMachineNews;
  }

  async #tell(): Promise<void> {
    while (this.#hasNews) {
      const [changed, rests, hasMachineNews] = [this.#changed, this.#rests, this.#hasMachineNews];
      this.#changed = new Set();
      this.#rests = new Map();
      this.#hasMachineNews = false;
      await inTimeSlices(this.#telling(changed, rests, hasMachineNews));
      await sleep(TELL_EVERY_MS, undefined, { ref: false });
    }
  }

  /** Tells each reader of the units that it is about. Each name is held against up to 256 globs of each of 1,000 readers. */
  *#telling(changed: ReadonlySet<string>, rests: Rests, hasMachineNews: boolean): Generator<void, void> {
    for (const { session } of this.#running) {
      const news: string[] = [];
      let looked = 0;
      for (const name of changed) {
        if (session.isAbout(name)) news.push(name);
        if (++looked % NAMES_A_LOOK === 0) yield;
      }
      if (news.length > 0 || hasMachineNews) session.wake(news, rests);
      yield;
    }
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

import { setTimeout as sleep } from "node:timers/promises";
import { FleetApi, FleetApiError, type JournalEntry } from "@fleet/client";
import type { History } from "./history.ts";

/** Streams of each API: of all units, and of few. */
const QUERIES: readonly (readonly string[])[] = [["*"], ["alone-*", "free-*"]];
const AGAIN_MS = 500;
/** An API asks a machine that was away again after 30 s at most, and waits 10 s for it: by then every line has come. */
const LINE_MS = 45_000;
/** Lines of a stream of which it is known that they came. */
const MOST_KNOWN = 50_000;

/** Somebody at each API who follows the journal from the beginning of a storm to its end, over the link. */
export class JournalReaders {
  readonly #history: History;
  readonly #streams: readonly Stream[];
  readonly #stopping = new AbortController();
  #done: Promise<unknown> = Promise.resolve();

  /** @param endpoints of the APIs */
  constructor(endpoints: readonly string[], history: History) {
    this.#history = history;
    this.#streams = endpoints.flatMap((endpoint) => QUERIES.map((units) => new Stream(endpoint, units, history)));
  }

  start(): void {
    this.#done = Promise.all(this.#streams.map((stream) => stream.read(this.#stopping.signal)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  /** Waits until a line of a unit that writes all the time has come to every reader, written from now on (invariant 13). */
  async allHear(unit: string): Promise<void> {
    const [since, endsAt] = [Date.now(), performance.now() + LINE_MS];
    for (const stream of this.#streams) {
      while (stream.latestOf(unit) < since && performance.now() < endsAt) await sleep(100);
      if (stream.latestOf(unit) < since)
        this.#history.break(13, `${stream} had no line of ${unit} for ${LINE_MS / 1000} s, which writes all the time`);
    }
    this.#history.add("rest", `lines that readers had: ${this.#streams.map(({ lines }) => lines).join(", ")}`);
  }
}

/** One reader, who asks again whatever becomes of its stream. */
class Stream {
  /** How many it has had. */
  lines = 0;
  readonly #endpoint: string;
  readonly #units: readonly string[];
  readonly #history: History;
  /** When the latest line of each unit was written, in milliseconds since 1970. */
  readonly #latest = new Map<string, number>();

  constructor(endpoint: string, units: readonly string[], history: History) {
    this.#endpoint = endpoint;
    this.#units = units;
    this.#history = history;
  }

  toString(): string {
    return `the reader of ${this.#units.join(" and ")} at ${this.#endpoint}`;
  }

  latestOf(unit: string): number {
    return this.#latest.get(unit) ?? 0;
  }

  async read(signal: AbortSignal): Promise<void> {
    const api = new FleetApi({ endpoint: this.#endpoint, timeoutMs: 5_000 });
    while (!signal.aborted) {
      const known = new Set<string>();
      try {
        for await (const items of api.journal({ units: this.#units, lines: 0, follow: true }, signal))
          for (const item of items) if (item.kind === "entry") this.#take(item.entry, known);
      } catch (error) {
        if (!(error instanceof FleetApiError)) throw error;
      }
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
    api.close();
  }

  #take({ machineID, cursor, unit, timestamp }: JournalEntry, known: Set<string>): void {
    this.lines++;
    const line = `${machineID} ${cursor}`;
    if (known.has(line)) this.#history.break(13, `${this} had a line of ${unit} twice: ${line}`);
    if (known.size >= MOST_KNOWN) known.clear();
    known.add(line);
    this.#latest.set(unit, Math.max(this.latestOf(unit), Date.parse(timestamp)));
  }
}

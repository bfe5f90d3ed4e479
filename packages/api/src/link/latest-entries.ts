import type { TimedEntry } from "@fleet/client/journal";

/** Most characters of entries, as journalctl prints them, that are kept. */
const MOST_KEPT = 32 * 1024 * 1024;

/** The latest entries, so many, of what comes in order. */
export class LatestEntries {
  readonly #most: number;
  readonly #mostKept: number;
  #entries: TimedEntry[] = [];
  #size = 0;
  #isShort = false;

  constructor(most: number, mostKept = MOST_KEPT) {
    this.#most = most;
    this.#mostKept = mostKept;
  }

  get entries(): readonly TimedEntry[] {
    return this.#most === 0 ? [] : this.#entries.slice(-this.#most);
  }

  /** Whether these are fewer than were asked for, because they are too large. */
  get isShort(): boolean {
    return this.#isShort && this.#entries.length < this.#most;
  }

  take(entries: readonly TimedEntry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#size += entry.size;
    }
    if (this.#entries.length > 2 * this.#most || this.#size > this.#mostKept) this.#trim();
  }

  #trim(): void {
    const latest = this.entries;
    let size = latest.reduce((sum, entry) => sum + entry.size, 0);
    let from = 0;
    for (; size > this.#mostKept && from < latest.length - 1; from++) size -= latest[from]?.size ?? 0;
    if (from > 0) this.#isShort = true;
    this.#entries = latest.slice(from);
    this.#size = size;
  }
}

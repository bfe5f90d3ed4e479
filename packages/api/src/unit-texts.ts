import { setTimeout as sleep } from "node:timers/promises";
import type { TextSource } from "./model/cluster-view.ts";

/** Reads texts of unit files by hash; those that are not there are left out. */
export type ReadTexts = (hashes: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** Characters of texts that are kept: those of some ten thousand units of common size. */
const MOST_KEPT = 32 * 1024 * 1024;
/** Texts that are read ahead at a time, and how long after they were heard of: at a restart all servers hear of all units. */
const AHEAD = 32;
const AHEAD_AFTER_MS = 5_000;
const AHEAD_PAUSE_MS = 20;

/**
 * The texts of unit files, kept in memory up to a bound and read from etcd when somebody asks for others. A text never
 * changes under its hash.
 */
export class UnitTexts implements TextSource {
  readonly #read: ReadTexts;
  readonly #mostKept: number;
  readonly #aheadAfterMs: number;
  readonly #texts = new Map<string, string>();
  #size = 0;
  /** Something had to go for want of room. */
  #isFull = false;
  /** What is to be read for all who have asked in this turn of the event loop. */
  #asked: { readonly hashes: Set<string>; readonly texts: Promise<ReadonlyMap<string, string>> } | null = null;
  readonly #ahead = new Set<string>();
  #isReadingAhead = false;

  /**
   * @param mostKept characters
   * @param aheadAfterMs how long what is expected waits before it is read
   */
  constructor(read: ReadTexts, mostKept = MOST_KEPT, aheadAfterMs = AHEAD_AFTER_MS) {
    this.#read = read;
    this.#mostKept = mostKept;
    this.#aheadAfterMs = aheadAfterMs;
  }

  /** A text that is in memory; undefined: it is not. */
  get(hash: string): string | undefined {
    return this.#texts.get(hash);
  }

  /**
   * Texts by hash, read where they are not in memory; those that etcd does not have are left out. Who asks at the same time
   * is answered by one read.
   *
   * @throws RegistryError
   */
  async find(hashes: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    const missing = new Set<string>();
    for (const hash of hashes) {
      const text = this.#texts.get(hash);
      if (text === undefined) missing.add(hash);
      else found.set(hash, text);
    }
    if (missing.size === 0) return found;
    const texts = await this.#ask(missing);
    for (const hash of missing) {
      const text = texts.get(hash);
      if (text !== undefined) found.set(hash, text);
    }
    return found;
  }

  /** Reads texts that somebody may ask for, in the background, for as long as there is room; where etcd is away, none. */
  expect(hashes: Iterable<string>): void {
    for (const hash of hashes) if (!this.#texts.has(hash)) this.#ahead.add(hash);
    if (this.#isReadingAhead || this.#ahead.size === 0) return;
    this.#isReadingAhead = true;
    void this.#readAhead()
      .catch(() => undefined)
      .finally(() => {
        this.#ahead.clear();
        this.#isReadingAhead = false;
      });
  }

  async #readAhead(): Promise<void> {
    await sleep(this.#aheadAfterMs, undefined, { ref: false });
    while (this.#ahead.size > 0 && !this.#isFull) {
      const hashes = [...this.#ahead].slice(0, AHEAD);
      for (const hash of hashes) this.#ahead.delete(hash);
      await this.find(hashes);
      await sleep(AHEAD_PAUSE_MS, undefined, { ref: false });
    }
  }

  #ask(hashes: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
    if (this.#asked === null) {
      const all = new Set<string>();
      const texts = Promise.resolve().then(async () => {
        this.#asked = null;
        const read = await this.#read([...all]);
        for (const [hash, text] of read) this.keep(hash, text);
        return read;
      });
      this.#asked = { hashes: all, texts };
    }
    for (const hash of hashes) this.#asked.hashes.add(hash);
    return this.#asked.texts;
  }

  /** Keeps a text, and forgets those that came first where there is no room. */
  keep(hash: string, text: string): void {
    if (this.#texts.has(hash)) return;
    this.#texts.set(hash, text);
    this.#size += text.length;
    for (const [oldest, { length }] of this.#texts) {
      if (this.#size <= this.#mostKept) return;
      this.#isFull = true;
      this.#texts.delete(oldest);
      this.#size -= length;
    }
  }
}

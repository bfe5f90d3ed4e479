import { setTimeout as sleep } from "node:timers/promises";
import { type KeyRange, type KeyValue, RegistryError } from "@fleet/domain/cluster";
import { backoff } from "@fleet/loop";
import type { Etcd, RangePage } from "./etcd.ts";

/** Keys of the first page of a range, of which nobody knows yet how large they are. */
export const FIRST_KEYS = 4;
/** How much larger a page may be than the one before. */
const GROWTH = 4;
/** Most keys a page where nobody says how many: well below what gRPC takes in one message. */
const MOST_KEYS = 2_000;
/** What a page is to have at most, in bytes of values: etcd holds all of it in memory while it answers. */
const PAGE_BYTES = 2_000_000;
/** How often one page is asked for before the whole is given up. */
const MOST_TRIES = 5;
/** How many times longer than usual is waited for a page at most. */
const MOST_PATIENCE = 32;

/**
 * Reads ranges in pages of bounded bytes, all at one revision. After a time-out pages are smaller and waited for longer:
 * etcd goes on with an answer that nobody waits for any more, and who asks for the same at once has it do the work twice.
 */
export class RangeReader {
  readonly #etcd: Etcd;
  readonly #mostKeys: number;
  /** How many times longer than usual is waited; it stays until a whole range was read. */
  #patience = 1;
  /** Most keys a page, by what has timed out. */
  #cap = Number.POSITIVE_INFINITY;

  /** @param mostKeys keys a page at most; by default 2,000 */
  constructor(etcd: Etcd, mostKeys = MOST_KEYS) {
    this.#etcd = etcd;
    this.#mostKeys = mostKeys;
  }

  /**
   * Pages of a range; etcd looks for the next one while one is taken in.
   *
   * @param revision undefined: the newest, which all pages then have
   */
  async *pages(range: KeyRange, revision: number | undefined, signal: AbortSignal): AsyncGenerator<RangePage, void> {
    let limit = Math.min(this.#mostKeys, this.#cap, FIRST_KEYS);
    let next: Promise<RangePage> | null = this.#page(range, limit, { revision }, signal);
    while (next !== null) {
      const page: RangePage = await next;
      const after = page.keyValues.at(-1)?.key;
      limit = Math.min(this.#mostKeys, this.#cap, nextKeys(limit, page.keyValues));
      next =
        page.more && after !== undefined
          ? this.#page(range, limit, { after, revision: revision ?? page.revision }, signal)
          : null;
      next?.catch(() => undefined); // whoever takes this page in may fail before it is waited for
      yield page;
    }
    this.#patience = 1;
    this.#cap = Number.POSITIVE_INFINITY;
  }

  async #page(
    range: KeyRange,
    limit: number,
    where: { readonly after?: string; readonly revision: number | undefined },
    signal: AbortSignal,
  ): Promise<RangePage> {
    for (let attempt = 1; ; attempt++) {
      const keys = Math.min(limit, this.#cap);
      const patience = this.#patience;
      try {
        return await this.#etcd.range(range, { ...where, limit: keys, patience });
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code !== "timeout") throw error;
        // Of pages that were asked for together only the first time-out counts.
        if (this.#patience === patience) this.#patience = Math.min(MOST_PATIENCE, patience * 2);
        this.#cap = Math.max(1, Math.min(this.#cap, Math.floor(keys / GROWTH)));
        if (attempt >= MOST_TRIES) throw error;
      }
      await sleep(backoff(attempt + 1), undefined, { signal });
    }
  }
}

/** How many keys the page after one has, of which so many were asked for: a page of full size at most. */
export function nextKeys(limit: number, keyValues: readonly KeyValue[]): number {
  const bytes = keyValues.reduce((sum, { value }) => sum + value.length, 0);
  const fitting = bytes === 0 ? Number.POSITIVE_INFINITY : Math.floor((PAGE_BYTES * keyValues.length) / bytes);
  return Math.min(limit * GROWTH, Math.max(1, fitting));
}

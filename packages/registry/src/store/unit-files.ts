import { ClusterState, isSourceOf, type Keys, type UnitRecord } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { FIRST_KEYS, nextKeys } from "./range-reader.ts";
import { MOST_OPS, readKeys } from "./transactions.ts";

/**
 * Reads the texts of unit files, a bounded number of bytes at a time: etcd holds an answer in memory as a whole. How many files
 * that is it takes from those that it has read last.
 */
export class UnitFileReader {
  readonly #etcd: Etcd;
  readonly #keys: Keys;
  #pageKeys = FIRST_KEYS;

  constructor(etcd: Etcd, keys: Keys) {
    this.#etcd = etcd;
    this.#keys = keys;
  }

  /** Texts by hash; those that are not there are left out. */
  async read(hashes: readonly string[]): Promise<Map<string, string>> {
    const state = new ClusterState(this.#keys);
    const wanted = [...new Set(hashes)].map((hash) => this.#keys.unitFile(hash));
    for (let start = 0; start < wanted.length; ) {
      const page = wanted.slice(start, start + this.#pageKeys);
      const found = (await readKeys(this.#etcd, page)).filter((keyValue) => keyValue !== null);
      for (const keyValue of found) state.put(keyValue);
      start += page.length;
      this.#pageKeys = Math.min(MOST_OPS, nextKeys(this.#pageKeys, found));
    }
    return new Map([...state.unitFiles].map(([hash, { text }]) => [hash, text]));
  }
}

/**
 * Reads a unit's text as its user wrote it; where that is not known, the file that fleet wrote out.
 *
 * @returns never the text of another version; null: etcd has none of this one
 */
export async function readUnitText(
  etcd: Etcd,
  keys: Keys,
  { hash, source }: Pick<UnitRecord, "hash" | "source">,
): Promise<string | null> {
  if (source !== undefined) {
    const [found] = await readKeys(etcd, [keys.source(source)]);
    if (found != null && isSourceOf(found.value, hash)) return found.value;
  }
  const [file] = await readKeys(etcd, [keys.unitFile(hash)]);
  return file?.value ?? null;
}

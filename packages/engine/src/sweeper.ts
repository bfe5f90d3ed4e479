import type { ClusterState, Op } from "@fleet/domain/cluster";
import { staleEnded } from "@fleet/domain/whereabouts";
import type { Leadership, Registry } from "@fleet/registry";
import { Suspects } from "./suspects.ts";

const MOST_DELETES = 60;
const PAGE_KEYS = 5_000;

/**
 * Removes texts that no unit refers to: files, and sources, which are texts as users wrote them. A text goes only when it
 * was unused in two sweeps in a row, and only if it was not written again meanwhile. A record that can't be read, as a newer
 * version may write it, refers to the file that it names, and to any text where it names none that can be told.
 */
export class Sweeper {
  readonly #registry: Registry;
  readonly #files = new Suspects();
  readonly #sources = new Suspects();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @returns how many texts were removed */
  async sweep(state: ClusterState, leadership: Leadership): Promise<number> {
    return (await this.#sweepFiles(state, leadership)) + (await this.#sweepSources(state, leadership));
  }

  /** Removes notes of oneshots that have ended which say nothing any more. */
  async sweepEnded(state: ClusterState, leadership: Leadership): Promise<void> {
    const { etcd, keys } = this.#registry;
    const stale = staleEnded(state).map(({ machineID, name }): Op => ({ delete: keys.ended(machineID, name) }));
    for (let start = 0; start < stale.length; start += MOST_DELETES)
      await etcd.txn([leadership.fence], stale.slice(start, start + MOST_DELETES));
  }

  async #sweepFiles(state: ClusterState, leadership: Leadership): Promise<number> {
    const { unreadableHashes } = state;
    if (unreadableHashes === null) {
      this.#files.clear();
      return 0;
    }
    const { keys } = this.#registry;
    const used = new Set([...unreadableHashes, ...[...state.units.values()].map(({ hash }) => hash)]);
    const unused = [...state.unitFiles].filter(([hash]) => !used.has(hash));
    const found = unused.map(([hash, { modRevision }]) => [keys.unitFile(hash), modRevision] as const);
    return this.#remove(this.#files.unusedAgain(new Map(found)), leadership);
  }

  async #sweepSources(state: ClusterState, leadership: Leadership): Promise<number> {
    const { etcd, keys } = this.#registry;
    const used = new Set([...state.units.values()].flatMap(({ source }) => (source === undefined ? [] : [source])));
    const { count } = await etcd.range(keys.sources(), { limit: 1, keysOnly: true });
    // etcd reads the texts even where it sends their keys alone: they are listed only where one is unused.
    const mayBeUnused = state.unreadableHashes?.size === 0 && count > used.size;
    if (!mayBeUnused) {
      this.#sources.clear();
      return 0;
    }
    const usedKeys = new Set([...used].map((hash) => keys.source(hash)));
    const unused = [...(await this.#listedSources())].filter(([key]) => !usedKeys.has(key));
    return this.#remove(this.#sources.unusedAgain(new Map(unused)), leadership);
  }

  /** The keys of all sources, with the revisions that wrote them. */
  async #listedSources(): Promise<ReadonlyMap<string, number>> {
    const { etcd, keys } = this.#registry;
    const found = new Map<string, number>();
    let after: string | undefined;
    do {
      const page = await etcd.range(keys.sources(), { after, limit: PAGE_KEYS, keysOnly: true });
      for (const { key, modRevision } of page.keyValues) found.set(key, modRevision);
      after = page.more ? page.keyValues.at(-1)?.key : undefined;
    } while (after !== undefined);
    return found;
  }

  async #remove(doomed: ReadonlyMap<string, number>, leadership: Leadership): Promise<number> {
    const entries = [...doomed];
    let removed = 0;
    for (let start = 0; start < entries.length; start += MOST_DELETES) {
      const batch = entries.slice(start, start + MOST_DELETES);
      const { succeeded } = await this.#registry.etcd.txn(
        [leadership.fence, ...batch.map(([key, modRevision]) => ({ key, modRevision }))],
        batch.map(([key]) => ({ delete: key })),
      );
      if (succeeded) removed += batch.length;
    }
    return removed;
  }
}

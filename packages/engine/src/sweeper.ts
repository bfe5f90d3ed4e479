import { type ClusterState, type Op, outdatedVersions } from "@fleet/domain/cluster";
import { staleEnded } from "@fleet/domain/whereabouts";
import type { Leadership, Registry } from "@fleet/registry";
import { Suspects } from "./suspects.ts";

const MOST_DELETES = 60;
/** etcd reads the texts even where it sends their keys alone. */
const PAGE_KEYS = 64;
/** Between two looks at the histories of units: all of them are read for it. */
const HISTORY_EVERY_MS = 3_600_000;

/**
 * Removes texts that no unit refers to: files, and, once an hour, sources, which are texts as users wrote them and those of
 * versions that units have had. A text goes only when it was unused in two sweeps in a row, and only if it was not written
 * again meanwhile. A record that can't be read, as a newer version may write it, refers to the file that it names, and to
 * any text where it names none that can be told.
 */
export class Sweeper {
  readonly #registry: Registry;
  readonly #files = new Suspects();
  readonly #sources = new Suspects();
  readonly #ended = new Suspects();

  readonly #historyEveryMs: number;
  /** When the histories were last looked at, by performance.now(); null: not yet. */
  #lookedAt: number | null = null;

  constructor(registry: Registry, historyEveryMs = HISTORY_EVERY_MS) {
    this.#registry = registry;
    this.#historyEveryMs = historyEveryMs;
  }

  /** @returns how many texts were removed */
  async sweep(state: ClusterState, leadership: Leadership): Promise<number> {
    const files = await this.#sweepFiles(state, leadership);
    const now = performance.now();
    if (this.#lookedAt !== null && now - this.#lookedAt < this.#historyEveryMs) return files;
    this.#lookedAt = now;
    return files + (await this.#sweepHistory(state, leadership));
  }

  /**
   * Removes notes of oneshots that have ended which say nothing any more: as texts, after two looks. A note of a unit's new
   * version, which a machine writes meanwhile, it would not write a second time.
   */
  async sweepEnded(state: ClusterState, leadership: Leadership): Promise<void> {
    const { keys } = this.#registry;
    const stale = staleEnded(state).map(
      ({ machineID, name, modRevision }) => [keys.ended(machineID, name), modRevision] as const,
    );
    await this.#remove(this.#ended.unusedAgain(new Map(stale)), leadership);
  }

  async #delete(doomed: readonly string[], leadership: Leadership): Promise<void> {
    const ops = doomed.map((key): Op => ({ delete: key }));
    for (let start = 0; start < ops.length; start += MOST_DELETES)
      await this.#registry.etcd.txn([leadership.fence], ops.slice(start, start + MOST_DELETES));
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

  async #sweepHistory(state: ClusterState, leadership: Leadership): Promise<number> {
    const { keys } = this.#registry;
    const { versions, hasUnreadable } = await this.#registry.allVersions();
    const outdated = new Set<string>();
    const used = new Set([...state.units.values()].flatMap(({ source }) => (source === undefined ? [] : [source])));
    for (const [name, kept] of versions) {
      const isThere = state.units.has(name) || state.isUnreadable("unit", name);
      const old = new Set(outdatedVersions(kept, isThere, Date.now()).map(({ id }) => id));
      for (const version of kept) {
        if (old.has(version.id)) outdated.add(keys.version(name, version.id));
        else used.add(version.source);
      }
    }
    await this.#delete([...outdated], leadership);
    if (hasUnreadable || state.unreadableHashes?.size !== 0) {
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

import { type Change, type ClusterState, type KeyRange, type Op, outdatedVersions } from "@fleet/domain/cluster";
import { staleEnded } from "@fleet/domain/whereabouts";
import type { Leadership, Registry } from "@fleet/registry";
import { Suspects } from "./suspects.ts";

const MOST_DELETES = 60;
/** etcd reads the texts even where it sends their keys alone. */
const PAGE_KEYS = 64;
/** Between two looks at the histories of units, and at all texts: all keys of them are read for it. */
const HISTORY_EVERY_MS = 3_600_000;
/** From the beginning of a leadership to the first such look: at a restart of all, others ask etcd for much. */
const FIRST_AFTER_MS = 60_000;
/** Files that units have left: where there are more, all keys of files are read instead. */
const MOST_LEFT = 256;

/**
 * Removes texts that no unit refers to: files, and sources, which are texts as users wrote them and those of versions that
 * units have had. A file that a unit leaves is looked at soon; all texts are a minute after an engine has begun to lead, and
 * then once an hour. A text goes only when it was unused in two sweeps in a row, and only if it was not written again meanwhile. A record that can't be read, as a newer version may write it, refers to the file that it names, and to
 * any text where it names none that can be told.
 */
export class Sweeper {
  readonly #registry: Registry;
  readonly #files = new Suspects();
  readonly #sources = new Suspects();
  readonly #ended = new Suspects();

  /** Keys of files that units have left, or that no unit was seen to use; null: all files are to be looked at. */
  #left: Set<string> | null = new Set();
  readonly #historyEveryMs: number;
  /** When the histories were last looked at, by performance.now(), and under which leadership; null: not yet. */
  #looked: { readonly at: number; readonly under: Leadership } | null = null;

  constructor(registry: Registry, historyEveryMs = HISTORY_EVERY_MS) {
    this.#registry = registry;
    this.#historyEveryMs = historyEveryMs;
  }

  /** Takes note of files that units leave. */
  note(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind !== "unit" || change.before === null || change.before.hash === change.after?.hash) continue;
      this.#left?.add(this.#registry.keys.unitFile(change.before.hash));
    }
    // An engine that led, and stands by, never sweeps.
    if (this.#left !== null && this.#left.size > 2 * MOST_LEFT) this.#left = null;
  }

  /** @returns how many texts were removed */
  async sweep(state: ClusterState, leadership: Leadership): Promise<number> {
    const now = performance.now();
    const every = this.#historyEveryMs;
    if (this.#looked?.under !== leadership)
      this.#looked = { at: now - every + Math.min(every, FIRST_AFTER_MS), under: leadership };
    const isDue = now - this.#looked.at >= every;
    if (isDue) this.#left = null;
    const files = await this.#sweepFiles(state, leadership);
    if (!isDue) return files;
    this.#looked = { at: now, under: leadership };
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
    const isUsed = new Set([...used].map((hash) => keys.unitFile(hash)));
    const left = this.#left;
    this.#left = new Set(); // units may leave more meanwhile
    try {
      const isWhole = left === null || left.size > MOST_LEFT;
      const isUnused = (key: string): boolean => !isUsed.has(key);
      const unused = isWhole
        ? await this.#unusedIn(keys.unitFiles(), isUnused)
        : await this.#found([...left].filter(isUnused));
      for (const key of unused.keys()) this.#left.add(key);
      return await this.#remove(this.#files.unusedAgain(unused), leadership);
    } catch (error) {
      this.#left = null;
      throw error;
    }
  }

  /** Which of some keys are there, with the revisions that wrote them. */
  async #found(keys: Iterable<string>): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>();
    for (const key of keys) {
      const { keyValues } = await this.#registry.etcd.range(
        { start: key, end: `${key}\0` },
        { limit: 1, keysOnly: true },
      );
      for (const { modRevision } of keyValues) found.set(key, modRevision);
    }
    return found;
  }

  async #sweepHistory(state: ClusterState, leadership: Leadership): Promise<number> {
    const { keys } = this.#registry;
    const used = new Set([...state.units.values()].flatMap(({ source }) => source ?? []));
    for (const { units } of state.rolls.values())
      for (const { from, to } of units) used.add(from.source).add(to.source);
    let outdated: string[] = [];
    // What can't be read may refer to any text.
    let hasUnreadable = [...state.malformed].some((key) => keys.parts(key)?.kind === "roll");
    for await (const history of this.#registry.histories()) {
      if (history.kind === "unreadable") {
        hasUnreadable = true;
        continue;
      }
      const { name, versions } = history;
      const isThere = state.units.has(name) || state.isUnreadable("unit", name);
      const old = new Set(outdatedVersions(versions, isThere, Date.now()).map(({ id }) => id));
      for (const { id, source } of versions) {
        if (old.has(id)) outdated.push(keys.version(name, id));
        else used.add(source);
      }
      if (outdated.length < MOST_DELETES) continue;
      await this.#delete(outdated, leadership);
      outdated = [];
    }
    await this.#delete(outdated, leadership);
    if (hasUnreadable || state.unreadableHashes?.size !== 0) {
      this.#sources.clear();
      return 0;
    }
    const isUnused = (key: string): boolean => {
      const parsed = keys.parse(key);
      return parsed?.kind === "source" && !used.has(parsed.hash);
    };
    const unused = await this.#unusedIn(keys.sources(), isUnused);
    return this.#remove(this.#sources.unusedAgain(unused), leadership);
  }

  /** The keys of a range of texts that nothing refers to, with the revisions that wrote them. */
  async #unusedIn(texts: KeyRange, isUnused: (key: string) => boolean): Promise<ReadonlyMap<string, number>> {
    const { etcd } = this.#registry;
    const found = new Map<string, number>();
    let after: string | undefined;
    do {
      const page = await etcd.range(texts, { after, limit: PAGE_KEYS, keysOnly: true });
      for (const { key, modRevision } of page.keyValues) if (isUnused(key)) found.set(key, modRevision);
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

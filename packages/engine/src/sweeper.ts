import type { ClusterState, Op } from "@fleet/domain/cluster";
import { staleEnded } from "@fleet/domain/whereabouts";
import type { Leadership, Registry } from "@fleet/registry";

const MOST_DELETES = 60;

/**
 * Removes unit files that no unit refers to. A file goes only when it was unused in two sweeps in a row, and only if
 * it was not written again meanwhile. A record that can't be read, as a newer version may write it, refers to the files
 * that it names, and to any file where it names none that can be told.
 */
export class Sweeper {
  readonly #registry: Registry;
  #suspects = new Map<string, number>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @returns how many files were removed */
  async sweep(state: ClusterState, leadership: Leadership): Promise<number> {
    const { unreadableHashes } = state;
    if (unreadableHashes === null) {
      this.#suspects.clear();
      return 0;
    }
    const used = new Set([...unreadableHashes, ...[...state.units.values()].map(({ hash }) => hash)]);
    const unused = new Map(
      [...state.unitFiles].filter(([hash]) => !used.has(hash)).map(([hash, file]) => [hash, file.modRevision]),
    );
    const doomed = [...unused].filter(([hash, revision]) => this.#suspects.get(hash) === revision);
    this.#suspects = unused;
    let removed = 0;
    for (let start = 0; start < doomed.length; start += MOST_DELETES) {
      const batch = doomed.slice(start, start + MOST_DELETES);
      const { succeeded } = await this.#registry.etcd.txn(
        [
          leadership.fence,
          ...batch.map(([hash, modRevision]) => ({ key: this.#registry.keys.unitFile(hash), modRevision })),
        ],
        batch.map(([hash]) => ({ delete: this.#registry.keys.unitFile(hash) })),
      );
      if (succeeded) removed += batch.length;
    }
    return removed;
  }

  /** Removes notes of oneshots that have ended which say nothing any more. */
  async sweepEnded(state: ClusterState, leadership: Leadership): Promise<void> {
    const { etcd, keys } = this.#registry;
    const stale = staleEnded(state).map(({ machineID, name }): Op => ({ delete: keys.ended(machineID, name) }));
    for (let start = 0; start < stale.length; start += MOST_DELETES)
      await etcd.txn([leadership.fence], stale.slice(start, start + MOST_DELETES));
  }
}

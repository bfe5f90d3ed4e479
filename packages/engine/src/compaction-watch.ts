import { RegistryError } from "@fleet/domain/cluster";
import type { Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";

/** How old a revision is that etcd should have compacted away: twice what its documentation takes as an example. */
const OLD_MS = 2 * 3_600_000;
/** Fewer revisions than this are no trouble for years. */
const MANY_REVISIONS = 10_000;

/**
 * Says once where etcd keeps all of its history: without auto-compaction its database grows with every change until its
 * quota is reached, and then it takes no more writes.
 */
export class CompactionWatch {
  readonly #registry: Registry;
  readonly #log: BaseLogger;
  /** A revision, and when it was the newest by performance.now(). */
  #old: { readonly revision: number; readonly at: number } | null = null;
  #hasSaid = false;

  constructor(registry: Registry, log: BaseLogger) {
    this.#registry = registry;
    this.#log = log;
  }

  /** @param revision the newest that is known */
  async look(revision: number): Promise<void> {
    const now = performance.now();
    this.#old ??= { revision, at: now };
    const { revision: before, at } = this.#old;
    if (now - at < OLD_MS || this.#hasSaid) return;
    this.#old = { revision, at: now };
    if (revision - before < MANY_REVISIONS || !(await this.#isThere(before))) return;
    this.#hasSaid = true;
    this.#log.warn(
      `etcd still has revision ${before} of two hours ago, and ${revision - before} later ones: it fills up. ` +
        "Start it with --auto-compaction-retention=1h",
    );
  }

  async #isThere(revision: number): Promise<boolean> {
    const { etcd, keys } = this.#registry;
    const key = keys.leader();
    try {
      await etcd.range({ start: key, end: `${key}\0` }, { revision, limit: 1, keysOnly: true });
      return true;
    } catch (error) {
      // Compacted, as it should be; whatever else is wrong is said elsewhere.
      if (error instanceof RegistryError) return false;
      throw error;
    }
  }
}

import { BoundedCache } from "../cache/bounded-cache.ts";
import { globMatches } from "../unit/glob.ts";

interface GlobEntry {
  /** How many units use the glob, placed or not. */
  uses: number;
  /** How many placed units match the glob, by machine. */
  readonly matched: Map<string, number>;
  /** How many placed units have the glob, by machine. */
  readonly owned: Map<string, number>;
}

/**
 * Which machines hold units that a glob matches, and which hold units that have a glob that matches a name: what
 * Conflicts and Replaces ask, without looking at every unit of every machine.
 */
export class GlobIndex {
  readonly #globs = new Map<string, GlobEntry>();
  readonly #placed: readonly ReadonlyMap<string, string>[];
  readonly #matchCache = new BoundedCache<string, readonly string[]>(200_000);

  /** @param placed machines of units that are placed, kept by the owner, who changes them before count() */
  constructor(...placed: readonly ReadonlyMap<string, string>[]) {
    this.#placed = placed;
  }

  /** A unit with these globs is known. */
  use(globs: readonly string[]): void {
    for (const glob of globs) {
      const entry = this.#globs.get(glob);
      if (entry !== undefined) {
        entry.uses++;
        continue;
      }
      const created: GlobEntry = { uses: 1, matched: new Map(), owned: new Map() };
      for (const machines of this.#placed) {
        for (const [name, machineID] of machines) if (globMatches(glob, name)) count(created.matched, machineID, 1);
      }
      this.#globs.set(glob, created);
      this.#matchCache.clear();
    }
  }

  /** A unit with these globs is gone. */
  drop(globs: readonly string[]): void {
    for (const glob of globs) {
      const entry = this.#globs.get(glob);
      if (entry === undefined || --entry.uses > 0) continue;
      this.#globs.delete(glob);
      this.#matchCache.clear();
    }
  }

  /**
   * A unit takes its place on a machine, or gives it up.
   *
   * @param globs its own
   */
  count(name: string, globs: readonly string[], machineID: string, by: 1 | -1): void {
    if (this.isUnused) return;
    for (const glob of this.matching(name)) count(this.#globs.get(glob)?.matched, machineID, by);
    for (const glob of globs) count(this.#globs.get(glob)?.owned, machineID, by);
  }

  /** Globs in use that match a name. */
  matching(name: string): readonly string[] {
    if (this.isUnused) return NO_GLOBS;
    let globs = this.#matchCache.get(name);
    if (globs === undefined) {
      globs = [...this.#globs.keys()].filter((glob) => globMatches(glob, name));
      this.#matchCache.set(name, globs);
    }
    return globs;
  }

  /** Machines that hold a unit which the glob matches, with their number. */
  machinesMatched(glob: string): ReadonlyMap<string, number> {
    return this.#globs.get(glob)?.matched ?? NONE;
  }

  /** Machines that hold a unit which has the glob. */
  machinesOwning(glob: string): ReadonlyMap<string, number> {
    return this.#globs.get(glob)?.owned ?? NONE;
  }

  /** Whether no unit has any glob. */
  get isUnused(): boolean {
    return this.#globs.size === 0;
  }
}

const NO_GLOBS: readonly string[] = [];
const NONE: ReadonlyMap<string, number> = new Map();

function count(counts: Map<string, number> | undefined, machineID: string, by: 1 | -1): void {
  if (counts === undefined) return;
  const next = (counts.get(machineID) ?? 0) + by;
  if (next > 0) counts.set(machineID, next);
  else counts.delete(machineID);
}

import type { ClusterState } from "@fleet/domain/cluster";
import { globMatches, hasWildcards, isTemplateName } from "@fleet/domain/unit";

/** The units that names and globs stand for. */
export interface Selection {
  readonly names: readonly string[];
  /** What stands for no unit. */
  readonly missing: readonly string[];
}

/**
 * Takes names and globs for units of the registry, and for those that run without being in it. A template's name stands
 * for its instances.
 */
export function selectUnits(state: ClusterState, wanted: readonly string[]): Selection {
  const names = new Set<string>();
  const missing: string[] = [];
  for (const pattern of wanted) {
    const found = matchesOf(state, pattern);
    for (const name of found) names.add(name);
    if (found.length === 0) missing.push(pattern);
  }
  return { names: [...names].sort(), missing };
}

function matchesOf(state: ClusterState, pattern: string): readonly string[] {
  const glob = globOf(pattern);
  if (glob === null) return isUnit(state, pattern) ? [pattern] : [];
  return [...new Set([...state.units.keys(), ...state.states.keys()])].filter(
    (name) => globMatches(glob, name) && isUnit(state, name),
  );
}

/** Names and globs that a unit's name is held against. */
export class UnitPatterns {
  readonly #names: ReadonlySet<string>;
  readonly #globs: readonly string[];

  constructor(wanted: readonly string[]) {
    const globs = wanted.map((pattern) => [pattern, globOf(pattern)] as const);
    this.#names = new Set(globs.flatMap(([pattern, glob]) => (glob === null ? [pattern] : [])));
    this.#globs = globs.flatMap(([, glob]) => glob ?? []);
  }

  /** Whether a name stands for a unit that is wanted. */
  select(state: ClusterState, name: string): boolean {
    return (this.#names.has(name) || this.#globs.some((glob) => globMatches(glob, name))) && isUnit(state, name);
  }
}

/** What a pattern matches by; null: it is one unit's name. */
function globOf(pattern: string): string | null {
  if (hasWildcards(pattern)) return pattern;
  return isTemplateName(pattern) ? pattern.replace("@.", "@*.") : null;
}

/** Whether there is a unit with this name: in the registry, or running on some machine without being in it. */
function isUnit(state: ClusterState, name: string): boolean {
  if (isTemplateName(name)) return false;
  return state.units.has(name) || [...(state.states.get(name)?.values() ?? [])].some(({ unknown }) => unknown === true);
}

import type { ClusterState } from "@fleet/domain/cluster";
import { globMatches, parseUnitName } from "@fleet/domain/unit";

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
  const isThere = (name: string): boolean => state.units.has(name) || isUnknownHere(state, name);
  if (isThere(pattern) && !isTemplate(pattern)) return [pattern];
  const glob = isTemplate(pattern) ? pattern.replace("@.", "@*.") : pattern;
  return [...new Set([...state.units.keys(), ...state.states.keys()])].filter(
    (name) => globMatches(glob, name) && isThere(name) && !isTemplate(name),
  );
}

/** Whether a unit runs on some machine, and the registry does not have it. */
function isUnknownHere(state: ClusterState, name: string): boolean {
  return [...(state.states.get(name)?.values() ?? [])].some(({ unknown }) => unknown === true);
}

function isTemplate(name: string): boolean {
  return parseUnitName(name)?.instance === "";
}

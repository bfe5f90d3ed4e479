import { globMatches, hasWildcards, isTemplateName } from "@fleet/domain/unit";
import type { MachineInfo, StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { findUnits } from "../client/find.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { patternOf } from "../targets/unit-patterns.ts";
import { hintFor, isGlobal } from "../targets/units.ts";

/** The units of which something is to be read. */
export interface ReadUnits {
  /** Names and globs, as a server takes them. */
  readonly patterns: readonly string[];
  /** Those that there are now. */
  readonly units: readonly UnitInfo[];
}

/**
 * The names and globs that a user typed, each once; templates stand for their instances.
 *
 * @throws CommandError for what is neither
 */
export function patternsOf(typed: readonly string[]): readonly string[] {
  return [...new Set(typed.map(patternOf))];
}

/**
 * The units that names and globs stand for.
 *
 * @throws CommandError where a name or a glob is that of no unit
 */
export async function unitsToRead(context: Context, patterns: readonly string[]): Promise<ReadUnits> {
  const client = await context.client();
  const names = patterns.filter((pattern) => !hasWildcards(pattern));
  const all = names.length === patterns.length ? [] : await client.units();
  const known = await findUnits(client, names);
  for (const pattern of patterns) {
    if (hasWildcards(pattern) ? all.some(({ name }) => globMatches(pattern, name)) : known.has(pattern)) continue;
    if (hasWildcards(pattern)) throw new CommandError(`no unit matches ${JSON.stringify(pattern)}`);
    throw new CommandError(`Unit ${pattern} does not exist.${await hintFor(context, pattern)}`);
  }
  const matched = all.filter(({ name }) =>
    patterns.some((pattern) => hasWildcards(pattern) && globMatches(pattern, name)),
  );
  const units = new Map([...known.values(), ...matched].map((unit) => [unit.name, unit]));
  const read = [...units.values()].filter(({ name }) => !isTemplateName(name));
  return { patterns, units: read.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** A machine, and the units of it that are to be read. */
export interface MachineUnits {
  readonly machine: MachineInfo;
  readonly units: readonly string[];
}

/**
 * The machines that have units: that of a scheduled one, each of a global one. By machine.
 *
 * @param machineIDs only these; empty: all
 */
export function machinesOfUnits(
  units: readonly UnitInfo[],
  states: readonly StateInfo[],
  machines: readonly MachineInfo[],
  machineIDs: readonly string[],
): readonly MachineUnits[] {
  const has = (machineID: string, unit: UnitInfo): boolean =>
    isGlobal(unit)
      ? states.some((state) => state.name === unit.name && state.machineID === machineID)
      : unit.machineID === machineID && unit.currentState !== "inactive";
  return machines
    .filter(({ id }) => machineIDs.length === 0 || machineIDs.includes(id))
    .map((machine) => ({ machine, units: units.filter((unit) => has(machine.id, unit)).map(({ name }) => name) }))
    .filter(({ units: own }) => own.length > 0);
}

import { expandUnitName, readRequirements, unitNameProblem } from "@fleet/domain/unit";
import type { UnitInfo } from "../client/cluster-client.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";

/** The name of the unit that a user typed as a path, a name, or a name without type. */
export function unitName(typed: string): string {
  const name = expandUnitName(typed);
  const problem = unitNameProblem(name);
  if (problem !== null) throw new CommandError(`Invalid unit name ${JSON.stringify(typed)}: ${problem}`);
  return name;
}

/** The names of the units that a user typed, each once, in order. */
export function unitNames(typed: readonly string[]): readonly string[] {
  return [...new Set(typed.map(unitName))];
}

/** Whether a unit runs on every machine that fits, and so has no state of its own. */
export function isGlobal(unit: UnitInfo): boolean {
  return readRequirements(unit.name, unit.options).global;
}

/**
 * The unit that a user typed.
 *
 * @throws CommandError where the cluster has no such unit
 */
export async function knownUnit(context: Context, typed: string): Promise<UnitInfo> {
  const name = unitName(typed);
  const unit = await (await context.client()).unit(name);
  if (unit === null) throw new CommandError(`Unit ${name} does not exist.`);
  return unit;
}

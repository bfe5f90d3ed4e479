import { expandUnitName, readRequirements, unitNameProblem } from "@fleet/domain/unit";
import type { UnitInfo } from "../client/cluster-client.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { mostLike } from "./most-like.ts";

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
  if (unit === null) throw new CommandError(`Unit ${name} does not exist.${await didYouMean(context, name)}`);
  return unit;
}

/** More units than these are not looked through for one that was meant. */
const MOST_SEARCHED = 20_000;

/** Names the unit that is most like a name that the cluster does not know: ` Did you mean …?`, or nothing. */
export async function didYouMean(context: Context, name: string): Promise<string> {
  return suggestion(name, await allUnits(context));
}

/** None where they can't be read: what is said of an unknown name holds without them. */
async function allUnits(context: Context): Promise<readonly UnitInfo[]> {
  return (await context.client()).units().catch(() => []);
}

function suggestion(name: string, units: readonly UnitInfo[]): string {
  if (units.length > MOST_SEARCHED) return "";
  const meant = mostLike(
    name,
    units.map((unit) => unit.name),
  );
  return meant === null ? "" : ` Did you mean ${meant}?`;
}

/** Says, in the old fleetctl's words, which units the cluster does not know. */
export async function sayUnknown(
  context: Context,
  names: readonly string[],
  known: { has(name: string): boolean },
): Promise<void> {
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  if (unknown.length === names.length) context.err("Units not found in registry");
  const units = await allUnits(context);
  for (const name of unknown) context.err(`Unit ${name} does not exist.${suggestion(name, units)}`);
}

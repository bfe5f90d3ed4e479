import { expandUnitName, isTemplateName, parseUnitName, readRequirements, unitNameProblem } from "@fleet/domain/unit";
import type { MachineInfo, UnitInfo } from "../client/cluster-client.ts";
import { findStates, machinesByID } from "../client/find.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { machineName } from "../printing/machine-text.ts";
import { mostLike } from "./most-like.ts";

/** The name of the unit that a user typed as a path, a name, or a name without type. */
export function unitName(typed: string): string {
  const name = expandUnitName(typed);
  const problem = unitNameProblem(name);
  if (problem !== null) throw new CommandError(`Invalid unit name ${JSON.stringify(typed)}: ${problem}`);
  return name;
}

/** The same of a word that may be a machine, whose name no unit can have: null then. */
export function possibleUnitName(typed: string): string | null {
  return /^[A-Za-z0-9:_.\\@-]+$/.test(typed) ? unitName(typed) : null;
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
  if (unit === null) throw new CommandError(`Unit ${name} does not exist.${await hintFor(context, name)}`);
  return unit;
}

/** More units than these are not looked through for one that was meant. */
const MOST_SEARCHED = 20_000;

/** What helps with a name that the registry does not know: that a machine has such a unit all the same, or what was meant. */
export async function hintFor(context: Context, name: string): Promise<string> {
  return (await hintsFor(context, [name]))(name);
}

async function hintsFor(context: Context, names: readonly string[]): Promise<(name: string) => string> {
  const client = await context.client();
  // What is said of an unknown name holds without them.
  const [units, states, machines] = await Promise.all([
    client.units().catch(() => []),
    findStates(client, names).catch(() => []),
    machinesByID(client).catch(() => new Map<string, MachineInfo>()),
  ]);
  return (name) => {
    const unknown = states.filter((state) => state.name === name && state.unknown === true);
    if (unknown.length === 0) return suggestion(name, units);
    const where = unknown.map(({ machineID }) => machineName(machineID, machines)).join(", ");
    return ` It runs on ${where} but is unknown to the registry, as after a restore from a backup: "fleetctl destroy ${name}" removes it, "fleetctl start FILE" adopts it.`;
  };
}

function suggestion(name: string, units: readonly UnitInfo[]): string {
  if (units.length > MOST_SEARCHED) return "";
  const names = units.map((unit) => unit.name);
  const meant = instanceOf(name, names) ?? mostLike(name, names);
  return meant === null ? "" : ` Did you mean ${meant}?`;
}

/** The first instance, or the template, that goes by a name without an instance; null: there is none. */
function instanceOf(name: string, names: readonly string[]): string | null {
  const { name: stem, type } = parseUnitName(name) ?? {};
  const own = names.filter((other) => {
    const { prefix, type: otherType, template } = parseUnitName(other) ?? {};
    return template !== undefined && template !== null && prefix === stem && otherType === type;
  });
  return own.toSorted().find((other) => !isTemplateName(other)) ?? own[0] ?? null;
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
  const hintOf = await hintsFor(context, unknown);
  for (const name of unknown) context.err(`Unit ${name} does not exist.${hintOf(name)}`);
}

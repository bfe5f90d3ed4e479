import {
  checkRequirements,
  type DesiredState,
  expandUnitName,
  hashUnitFile,
  InvalidUnitError,
  isTemplateName,
  parseUnitFile,
  parseUnitName,
  readRequirements,
  UnitFileError,
  type UnitOption,
  unitNameProblem,
} from "@fleet/domain/unit";
import type { FleetClient, UnitInfo } from "./client/fleet-client.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./errors.ts";
import { type UnitFile, warnOfFindings } from "./verify.ts";

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

/** Where the text of a unit that is not known yet comes from. */
interface UnitSource {
  readonly options: readonly UnitOption[];
  /** The local file it was read from; null: a template in the registry. */
  readonly file: UnitFile | null;
}

/** How units get into the registry. */
export interface SubmitOptions {
  /** Put a new version in where the local file differs. */
  readonly replace: boolean;
  /** Refuse files that have anything wrong with them. */
  readonly strict: boolean;
}

/**
 * Makes sure that units are in the registry, from local files or templates. Everything is read and checked before the
 * first is sent.
 *
 * @param target the state that the command leads to: `--replace` may not take a unit back from a higher one
 * @returns names of the units that were created or replaced
 */
export async function ensureUnits(
  context: Context,
  typed: readonly string[],
  target: DesiredState,
  { replace, strict }: SubmitOptions,
): Promise<ReadonlySet<string>> {
  const client = await context.client();
  const byName = new Map(typed.map((entry) => [unitName(entry), entry]));
  const known = await findUnits(client, [...byName.keys()]);
  const touched = new Set<string>();
  const plans: { name: string; options: readonly UnitOption[]; file: UnitFile | null }[] = [];
  const templates = new Map<string, Promise<UnitInfo | null>>();
  const template = (wanted: string): Promise<UnitInfo | null> => {
    const asked = templates.get(wanted) ?? client.unit(wanted);
    templates.set(wanted, asked);
    return asked;
  };
  for (const [name, entry] of byName) {
    const unit = known.get(name);
    if (unit === undefined) {
      plans.push({ name, ...(await findSource(context, template, name, entry)) });
    } else if (mayReplace(context, unit, entry, target, replace)) {
      const local = localSource(context, entry, name);
      if (local !== null) plans.push({ name, ...local });
    }
  }
  const files = new Map(plans.flatMap(({ file }) => (file === null ? [] : [[file.path, file]])));
  await warnOfFindings(context, [...files.values()], strict);
  try {
    await concurrently(plans, async ({ name, options }) => {
      await client.setUnit(name, { options, desiredState: known.get(name)?.desiredState ?? "inactive" });
      touched.add(name);
    });
  } finally {
    for (const name of byName.keys()) if (touched.has(name) && !known.has(name)) context.out(`Unit ${name} inactive`);
  }
  return touched;
}

/** Units by name, those that there are: asked for one by one, or all at once where they are many. */
export async function findUnits(client: FleetClient, names: readonly string[]): Promise<ReadonlyMap<string, UnitInfo>> {
  const found = new Map<string, UnitInfo>();
  if (names.length > 8) {
    const wanted = new Set(names);
    for (const unit of await client.units()) if (wanted.has(unit.name)) found.set(unit.name, unit);
  } else {
    await concurrently(names, async (name) => {
      const unit = await client.unit(name);
      if (unit !== null) found.set(name, unit);
    });
  }
  return found;
}

/** Does the same with each, many at a time; the first failure is thrown once all have ended. */
export async function concurrently<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(items.map(work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

const RANK: Readonly<Record<DesiredState, number>> = { inactive: 0, loaded: 1, launched: 2 };

/** The local file that a unit's text comes from: its own, or for an instance that has none, its template's. */
function localSource(context: Context, typed: string, name: string): UnitSource | null {
  const own = localFile(context, typed, name);
  const template = parseUnitName(name)?.template ?? null;
  if (own !== null || template === null || isTemplateName(name)) return own;
  return localFile(context, typed.slice(0, typed.lastIndexOf("/") + 1) + template, template);
}

function mayReplace(context: Context, unit: UnitInfo, typed: string, target: DesiredState, replace: boolean): boolean {
  const local = localSource(context, typed, unit.name);
  if (local === null) return false;
  const isSame = hashUnitFile(local.options) === hashUnitFile(unit.options);
  if (isSame) {
    if (replace) context.out(`Found same Unit(${unit.name}) in Registry, nothing to do`);
    return false;
  }
  if (!replace) {
    context.err(
      `WARNING: Unit ${unit.name} in registry differs from local unit file ${local.file?.path ?? typed}. Add --replace to override.`,
    );
    return false;
  }
  if (RANK[unit.desiredState] > RANK[target]) {
    context.err(
      `WARNING: Unit ${unit.name} is ${unit.desiredState}: it can't be replaced by a command that leaves it ${target}.`,
    );
    return false;
  }
  return true;
}

/** Looks for a unit's text: its own local file, its template in the registry, its template's local file. */
async function findSource(
  context: Context,
  template: (name: string) => Promise<UnitInfo | null>,
  name: string,
  typed: string,
): Promise<UnitSource> {
  const own = localFile(context, typed, name);
  if (own !== null) return checked(name, own);
  const templateName = parseUnitName(name)?.template ?? null;
  if (templateName !== null && !isTemplateName(name)) {
    const stored = await template(templateName);
    if (stored !== null) return checked(name, { options: stored.options, file: null });
    const folder = typed.slice(0, typed.lastIndexOf("/") + 1);
    const file = localFile(context, folder + templateName, templateName);
    if (file !== null) return checked(name, file);
    throw new CommandError(
      `unable to find Unit(${name}) in Registry or on filesystem, nor its template ${templateName}`,
    );
  }
  throw new CommandError(`unable to find Unit(${name}) in Registry or on filesystem`);
}

function checked(name: string, source: UnitSource): UnitSource {
  try {
    if (source.options.length === 0) throw new InvalidUnitError(`unit ${name} has no options`);
    checkRequirements(name, readRequirements(name, source.options));
    return source;
  } catch (error) {
    if (error instanceof InvalidUnitError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

function localFile(context: Context, typed: string, name: string): UnitSource | null {
  const folder = typed.slice(0, typed.lastIndexOf("/") + 1);
  for (const path of new Set([typed, folder + name])) {
    const bytes = context.readFile(path);
    if (bytes === null) continue;
    try {
      return { options: parseUnitFile(bytes), file: { path, name, bytes } };
    } catch (error) {
      if (error instanceof UnitFileError) throw new CommandError(`${path}: ${error.message}`, { cause: error });
      throw error;
    }
  }
  return null;
}

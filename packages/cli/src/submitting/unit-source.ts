import {
  checkRequirements,
  InvalidUnitError,
  isTemplateName,
  parseUnitFile,
  parseUnitName,
  readRequirements,
  UnitFileError,
  type UnitOption,
} from "@fleet/domain/unit";
import type { UnitInfo } from "../client/cluster-client.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { hintFor } from "../targets/units.ts";
import type { UnitFile } from "./findings.ts";
import { unitFileNameProblem } from "./unit-file-name.ts";

/** Where the text of a unit that is to be submitted comes from. */
export interface UnitSource {
  readonly options: readonly UnitOption[];
  /** The file's text, every byte of it; null: the source is no file. */
  readonly text: string | null;
  /** The local file that it was read from; null: a template in the registry. */
  readonly file: UnitFile | null;
}

/** The text of a unit from a local file. */
export interface LocalSource extends UnitSource {
  readonly file: UnitFile;
}

/**
 * The local file that a unit's text comes from: its own, or for an instance that has none, its template's.
 *
 * @param typed the unit as the user typed it, maybe a path
 * @returns null where there is no such file
 * @throws CommandError where the file is no unit file
 */
export function localSource(context: Context, typed: string, name: string): LocalSource | null {
  const own = ownFile(context, typed, name);
  const template = templateOf(name);
  return own ?? (template === null ? null : ownFile(context, folderOf(typed) + template, template));
}

/**
 * The text of a unit that the registry does not hold: from its own local file, its template in the registry, or its
 * template's local file, the first of these that there is.
 *
 * @param storedTemplate reads a template from the registry; null where it is not there
 * @throws CommandError where there is none, or what there is could not be a unit
 */
export async function findSource(
  context: Context,
  storedTemplate: (name: string) => Promise<UnitInfo | null>,
  name: string,
  typed: string,
): Promise<UnitSource> {
  const own = ownFile(context, typed, name);
  if (own !== null) return checked(name, own);
  const template = templateOf(name);
  const missing = async (what: string): Promise<CommandError> => {
    const hint = await hintFor(context, name);
    return new CommandError(
      `unable to find Unit(${name}) in Registry or on filesystem${what}${hint === "" ? "" : `.${hint}`}`,
    );
  };
  if (template === null) throw await missing("");
  const stored = await storedTemplate(template);
  if (stored !== null) return checked(name, { options: stored.options, text: null, file: null });
  const file = ownFile(context, folderOf(typed) + template, template);
  if (file !== null) return checked(name, file);
  throw await missing(`, nor its template ${template}`);
}

/** The name of an instance's template; null for what is no instance. */
function templateOf(name: string): string | null {
  return isTemplateName(name) ? null : (parseUnitName(name)?.template ?? null);
}

function folderOf(typed: string): string {
  return typed.slice(0, typed.lastIndexOf("/") + 1);
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

/** Keeps a byte order mark; whatever else could get lost makes a file no unit file. */
const TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The local file of a unit, by its path as it was typed, with or without the type.
 *
 * @returns null where there is none
 * @throws CommandError where the file is no unit file
 */
export function ownFile(context: Context, typed: string, name: string): LocalSource | null {
  for (const path of new Set([typed, folderOf(typed) + name])) {
    const bytes = context.readFile(path);
    if (bytes === null) continue;
    const problem = unitFileNameProblem(path);
    if (problem !== null) throw new CommandError(problem);
    try {
      return { options: parseUnitFile(bytes), text: TEXT.decode(bytes), file: { path, name, bytes } };
    } catch (error) {
      if (error instanceof UnitFileError) throw new CommandError(`${path}: ${error.message}`, { cause: error });
      throw error;
    }
  }
  return null;
}

import { joinedValue, parseUnitFile, serializeUnitFile, type UnitOption } from "./file.ts";
import type { UnitName } from "./name.ts";

/** The section of a unit file that fleet reads. */
export const FLEET_SECTION = "X-Fleet";

/** How the value of an option of fleet's is read: conditions are words as they stand, all others are split at white space. */
export type FleetValue =
  | "machine-id"
  | "unit-names"
  | "conditions"
  | "globs"
  | "flag"
  | "metadata-key"
  | "weight"
  | "on-partition";

const OPTIONS: ReadonlyMap<string, FleetValue> = new Map([
  ["MachineID", "machine-id"],
  ["X-ConditionMachineID", "machine-id"],
  ["X-ConditionMachineBootID", "machine-id"],
  ["MachineOf", "unit-names"],
  ["X-ConditionMachineOf", "unit-names"],
  ["MachineMetadata", "conditions"],
  ["X-ConditionMachineMetadata", "conditions"],
  ["Conflicts", "globs"],
  ["X-Conflicts", "globs"],
  ["Replaces", "globs"],
  ["Global", "flag"],
  ["PreferMetadata", "conditions"],
  ["PreferApart", "globs"],
  ["Spread", "metadata-key"],
  ["Weight", "weight"],
  ["Stay", "flag"],
  ["Overlap", "flag"],
  ["OnPartition", "on-partition"],
  ["Rerun", "flag"],
]);

/** The names of all options of fleet's. */
export const FLEET_OPTIONS: readonly string[] = [...OPTIONS.keys()];

/** Whether fleet knows an option of the `[X-Fleet]` section. */
export function isFleetOption(name: string): boolean {
  return OPTIONS.has(name);
}

/** How the value of an option is read; null: fleet does not know it. */
export function fleetValueOf(name: string): FleetValue | null {
  return OPTIONS.get(name) ?? null;
}

/** Names of `[X-Fleet]` options that fleet does not know; they have no effect and deserve a warning. */
export function unknownFleetOptions(options: readonly UnitOption[]): readonly string[] {
  const names = options.filter(({ section, name }) => section === FLEET_SECTION && !isFleetOption(name));
  return [...new Set(names.map(({ name }) => name))];
}

/**
 * What fleet reads of a unit file, as a file of its own: the requirements that it has are those of the whole. Options that this
 * version does not know are in it, for a later one may. Empty: it has no such section; null: that can't be written by itself.
 */
export function fleetSectionOf(options: readonly UnitOption[]): string | null {
  const ours = options.filter(({ section }) => section === FLEET_SECTION);
  const text = serializeUnitFile(ours);
  return JSON.stringify(parseUnitFile(text)) === JSON.stringify(ours) ? text : null;
}

/** A value that starts and ends with `"` is a list of quoted words; any other is one word, spaces and all. */
export function fleetWords(value: string): readonly string[] {
  const pieces = quotedPieces(value);
  return pieces === null ? [joinedValue(value)] : pieces.filter((_piece, index) => isQuoted(pieces, index));
}

/** What stands between quoted words and is read by nobody; empty: nothing. */
export function leftOverOf(value: string): string {
  const pieces = quotedPieces(value);
  if (pieces === null) return "";
  // The last quotation mark has none to go with where their number is odd.
  const isOdd = pieces.length % 2 === 0;
  const between = pieces.filter((_piece, index) => !isQuoted(pieces, index));
  return (isOdd ? `${between.slice(0, -2).join(" ")} ${between.at(-2)}"${between.at(-1)}` : between.join(" ")).trim();
}

/** A list of quoted words, cut at its quotation marks; null: the value is none. */
function quotedPieces(value: string): readonly string[] | null {
  const text = joinedValue(value);
  return text.length < 2 || !text.startsWith('"') || !text.endsWith('"') ? null : text.split('"');
}

/** Whether a piece has a quotation mark on either side that belongs to it. */
function isQuoted(pieces: readonly string[], index: number): boolean {
  return index % 2 === 1 && index < pieces.length - 1;
}

/** The text with %n, %N, %p and %i replaced by what they stand for in a unit of this name. */
export function replaceSpecifiers(text: string, { full, name, prefix, instance }: UnitName): string {
  if (!text.includes("%")) return text;
  const values: Readonly<Record<string, string>> = { "%n": full, "%N": name, "%p": prefix, "%i": instance ?? "" };
  return text.replace(/%[nNpi]/g, (specifier) => values[specifier] ?? specifier);
}

/** The words of a text that are divided by white space. */
export function splitWords(text: string): readonly string[] {
  return /\s/.test(text) ? text.split(/\s+/).filter((word) => word !== "") : text === "" ? NO_WORDS : [text];
}

const NO_WORDS: readonly string[] = [];

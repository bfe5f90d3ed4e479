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
 * What fleet reads of a unit file, as a file of its own: the requirements that it has are those of the whole. Empty: it has no
 * such section; null: that can't be written by itself.
 */
export function fleetSectionOf(options: readonly UnitOption[]): string | null {
  const ours = options.filter(({ section, name }) => section === FLEET_SECTION && isFleetOption(name));
  const text = serializeUnitFile(ours);
  return JSON.stringify(parseUnitFile(text)) === JSON.stringify(ours) ? text : null;
}

/** What stands in a value of the `[X-Fleet]` section. */
export interface FleetWords {
  readonly words: readonly string[];
  /** What stands between quoted words and is read by nobody; empty: nothing. */
  readonly leftOver: string;
}

/** A value that starts and ends with `"` is a list of quoted words; any other is one word, spaces and all. */
export function fleetWords(value: string): FleetWords {
  const text = joinedValue(value);
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return { words: [text], leftOver: "" };
  return {
    words: Array.from(text.matchAll(QUOTED), ([, word]) => word ?? ""),
    leftOver: text.replace(QUOTED, " ").trim(),
  };
}

const QUOTED = /"([^"]*)"/g;

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

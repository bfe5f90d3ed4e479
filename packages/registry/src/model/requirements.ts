import { InvalidUnitError } from "./errors.ts";
import { globMatches } from "./glob.ts";
import type { UnitOption } from "./unit-file.ts";
import { parseUnitName, type UnitName } from "./unit-name.ts";

/** What the `[X-Fleet]` section of a unit asks of the machine it runs on, specifiers replaced. */
export interface Requirements {
  /** A full machine ID or its short form; null: any machine. */
  readonly machineID: string | null;
  /** Names of units that must be scheduled to the same machine. */
  readonly machineOf: readonly string[];
  /** Every entry must hold; one of its values is enough. */
  readonly metadata: readonly { readonly key: string; readonly values: readonly string[] }[];
  /** Globs over names of units that must not share the machine, in both directions. */
  readonly conflicts: readonly string[];
  /** Globs over names of units that this one pushes to another machine. */
  readonly replaces: readonly string[];
  /** Run on every machine that fits. */
  readonly global: boolean;
}

/** The section of a unit file that fleet reads. */
export const FLEET_SECTION = "X-Fleet";

const SPELLINGS: Readonly<Record<string, keyof Requirements>> = {
  MachineID: "machineID",
  "X-ConditionMachineID": "machineID",
  "X-ConditionMachineBootID": "machineID",
  MachineOf: "machineOf",
  "X-ConditionMachineOf": "machineOf",
  MachineMetadata: "metadata",
  "X-ConditionMachineMetadata": "metadata",
  Conflicts: "conflicts",
  "X-Conflicts": "conflicts",
  Replaces: "replaces",
  Global: "global",
};

/** Whether fleet knows an option of the `[X-Fleet]` section. */
export function isFleetOption(name: string): boolean {
  return Object.hasOwn(SPELLINGS, name);
}

/** Names of `[X-Fleet]` options that fleet does not know; they have no effect and deserve a warning. */
export function unknownFleetOptions(options: readonly UnitOption[]): readonly string[] {
  const names = options.filter(({ section, name }) => section === FLEET_SECTION && !isFleetOption(name));
  return [...new Set(names.map(({ name }) => name))];
}

/**
 * Reads the requirements of a unit from its options.
 *
 * @param name the unit's name, for the specifiers %n, %N, %p and %i
 */
export function readRequirements(name: string, options: readonly UnitOption[]): Requirements {
  const unitName = parseUnitName(name);
  const values = (...spellings: readonly string[]): string[] =>
    spellings.flatMap((spelling) =>
      options
        .filter((option) => option.section === FLEET_SECTION && option.name === spelling)
        .flatMap(({ value }) => quotedWords(value))
        .map((word) => (unitName === null ? word : replaceSpecifiers(word, unitName))),
    );
  const words = (...spellings: readonly string[]): string[] =>
    values(...spellings).flatMap((value) => value.split(/\s+/).filter((word) => word !== ""));
  return {
    machineID: values("MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID").find((id) => id !== "") ?? null,
    machineOf: unique(words("X-ConditionMachineOf", "MachineOf")),
    metadata: metadataPairs(values("X-ConditionMachineMetadata", "MachineMetadata")),
    conflicts: unique(words("X-Conflicts", "Conflicts")),
    replaces: unique(words("Replaces")),
    global: /^(true|yes|1|on|t)$/i.test(values("Global").at(-1) ?? ""),
  };
}

/**
 * Checks that the requirements can hold together.
 *
 * @throws InvalidUnitError naming both options
 */
export function checkRequirements(name: string, requirements: Requirements): void {
  const { machineID, machineOf, conflicts, replaces, global } = requirements;
  const given = {
    MachineID: machineID !== null,
    MachineOf: machineOf.length > 0,
    Conflicts: conflicts.length > 0,
    Replaces: replaces.length > 0,
    Global: global,
  };
  const forbidden: readonly (readonly [keyof typeof given, keyof typeof given])[] = [
    ["MachineID", "MachineOf"],
    ["MachineID", "Conflicts"],
    ["MachineID", "Global"],
    ["MachineID", "Replaces"],
    ["Global", "MachineOf"],
    ["Global", "Replaces"],
    ["Conflicts", "Replaces"],
  ];
  for (const [one, other] of forbidden) {
    if (given[one] && given[other]) {
      throw new InvalidUnitError(
        `unit ${name}: options ${one} and ${other} in [X-Fleet] can't be used together; remove one`,
      );
    }
  }
  for (const [option, globs] of [
    ["Conflicts", conflicts],
    ["Replaces", replaces],
  ] as const) {
    for (const peer of machineOf) {
      const glob = globs.find((candidate) => globMatches(candidate, peer));
      if (glob !== undefined) {
        throw new InvalidUnitError(
          `unit ${name}: MachineOf=${peer} and ${option}=${glob} in [X-Fleet] contradict each other; remove one`,
        );
      }
    }
  }
}

/** Whether two sets of requirements ask for the same. */
export function sameRequirements(one: Requirements, other: Requirements): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** A value that starts and ends with `"` is a list of quoted words; any other is itself. */
function quotedWords(value: string): string[] {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return [value];
  return [...value.matchAll(/"([^"]*)"/g)].map(([, word]) => word ?? "");
}

function replaceSpecifiers(text: string, { full, name, prefix, instance }: UnitName): string {
  const values: Readonly<Record<string, string>> = { "%n": full, "%N": name, "%p": prefix, "%i": instance ?? "" };
  return text.replace(/%[nNpi]/g, (specifier) => values[specifier] ?? specifier);
}

function metadataPairs(pairs: readonly string[]): { key: string; values: string[] }[] {
  const byKey = new Map<string, string[]>();
  for (const pair of pairs) {
    const [key, value, ...rest] = pair.split("=");
    if (!key || !value || rest.length > 0) continue;
    byKey.set(key, [...(byKey.get(key) ?? []), value]);
  }
  return [...byKey].map(([key, values]) => ({ key, values: unique(values) }));
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

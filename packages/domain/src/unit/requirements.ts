import { InvalidUnitError } from "./errors.ts";
import type { UnitOption } from "./file.ts";
import { FLEET_SECTION, fleetWords, isFleetOption, replaceSpecifiers, splitWords } from "./fleet-section.ts";
import { globMatches } from "./glob.ts";
import { isNameText, parseUnitName } from "./name.ts";

/** A condition on a machine's metadata beyond a plain value. */
export interface MetadataBound {
  readonly key: string;
  /** `>=` and `<=` compare numbers: a machine without the key, or with another value than a number, does not meet them. */
  readonly operator: "!=" | ">=" | "<=";
  readonly value: string;
}

/** The preferences of a unit: they decide among the machines that fit, and never keep it from running. */
export interface Preferences {
  /** `key=value` and bounds; each that a machine does not meet counts against it. */
  readonly metadata: readonly (
    | MetadataBound
    | { readonly key: string; readonly operator: "="; readonly value: string }
  )[];
  /** Globs over names of units that are better on other machines. */
  readonly apart: readonly string[];
  /** A metadata key over whose values the units of one template are to be even; null: none. */
  readonly spread: string | null;
}

/** What the `[X-Fleet]` section of a unit asks of the machine it runs on, specifiers replaced. */
export interface Requirements {
  /** A full machine ID or its short form; null: any machine. */
  readonly machineID: string | null;
  /** Names of units that must be scheduled to the same machine. */
  readonly machineOf: readonly string[];
  /** Every entry must hold; one of its values is enough. */
  readonly metadata: readonly { readonly key: string; readonly values: readonly string[] }[];
  /** Conditions on metadata, all of which must hold. */
  readonly bounds: readonly MetadataBound[];
  /** Globs over names of units that must not share the machine, in both directions. */
  readonly conflicts: readonly string[];
  /** Globs over names of units that this one pushes to another machine. */
  readonly replaces: readonly string[];
  /** Run on every machine that fits. */
  readonly global: boolean;
  /** Null: it has none. */
  readonly preferences: Preferences | null;
  /** How much of a machine it takes, at least 1; a machine's load is the sum. */
  readonly weight: number;
  /** Never moved while its machine fits, not even when a rebalance is asked for. */
  readonly stay: boolean;
  /** Two copies of it may run for a moment: when it is moved on request it is started anew before it is stopped. */
  readonly overlap: boolean;
  /** A oneshot that has ended well is run anew when it comes to another machine. */
  readonly rerun: boolean;
  /** What becomes of it on a machine that can't renew its lease: `keep` or `stop`; anything else is refused. */
  readonly onPartition: string;
}

/** The heaviest that a unit may be. */
export const MOST_WEIGHT = 10_000;

/** The most conditions and preferences that a unit may have, each word counted. */
export const MOST_CONDITIONS = 256;

/** The most bytes that these may have together, specifiers replaced. */
export const MOST_CONDITION_BYTES = 8 * 1024;

/** Where it could become more text than this nothing is replaced: a unit that asks for so much is refused as it is. */
const MOST_REPLACED = 256 * MOST_CONDITION_BYTES;

const TRUE = /^(true|yes|1|on|t)$/i;
/** The old fleet took exactly one =, with something on both sides. */
const METADATA_TEST = /^([^=!<>]+)(=|!=|>=|<=)([^=]+)$/;

/**
 * Reads the requirements of a unit from its options.
 *
 * @param name the unit's name, for the specifiers %n, %N, %p and %i
 */
export function readRequirements(name: string, options: readonly UnitOption[]): Requirements {
  const given = valuesByName(name, options);
  const values = (...spellings: readonly string[]): readonly string[] =>
    spellings.flatMap((spelling) => given.get(spelling) ?? []);
  const words = (...spellings: readonly string[]): readonly string[] => values(...spellings).flatMap(splitWords);
  const wanted = metadataTests(values("X-ConditionMachineMetadata", "MachineMetadata"));
  const isTrue = (spelling: string): boolean => TRUE.test(values(spelling).at(-1) ?? "");
  const preferences: Preferences = {
    metadata: metadataTests(values("PreferMetadata")),
    apart: unique(words("PreferApart")),
    spread: words("Spread").at(-1) ?? null,
  };
  const hasPreferences = preferences.metadata.length > 0 || preferences.apart.length > 0 || preferences.spread !== null;
  return {
    machineID: values("MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID").find((id) => id !== "") ?? null,
    machineOf: unique(words("X-ConditionMachineOf", "MachineOf")),
    metadata: alternatives(wanted),
    bounds: wanted.filter((test): test is MetadataBound => test.operator !== "="),
    conflicts: unique(words("X-Conflicts", "Conflicts")),
    replaces: unique(words("Replaces")),
    global: isTrue("Global"),
    preferences: hasPreferences ? preferences : null,
    weight: readWeight(words("Weight").at(-1)),
    stay: isTrue("Stay"),
    overlap: isTrue("Overlap"),
    rerun: isTrue("Rerun"),
    onPartition: (words("OnPartition").at(-1) ?? "keep").toLowerCase(),
  };
}

/** The values of each option of fleet's, quoted words by themselves, specifiers replaced. */
function valuesByName(name: string, options: readonly UnitOption[]): ReadonlyMap<string, string[]> {
  const unitName = parseUnitName(name);
  const given = new Map<string, string[]>();
  let length = 0;
  for (const option of options) {
    if (option.section !== FLEET_SECTION || !isFleetOption(option.name)) continue;
    const values = given.get(option.name) ?? [];
    given.set(option.name, values);
    for (const word of fleetWords(option.value)) {
      const isTooMuch = length + word.length * name.length > MOST_REPLACED;
      const text = unitName === null || isTooMuch ? word : replaceSpecifiers(word, unitName);
      length += text.length;
      values.push(text);
    }
  }
  return given;
}

/**
 * Checks that the requirements can hold together, and are not too many.
 *
 * @throws InvalidUnitError naming both options
 */
export function checkRequirements(name: string, requirements: Requirements): void {
  checkBounds(name, requirements);
  const { machineID, machineOf, conflicts, replaces, global, overlap, onPartition } = requirements;
  if (onPartition !== "keep" && onPartition !== "stop") {
    throw new InvalidUnitError(`unit ${name}: invalid OnPartition=${onPartition} in [X-Fleet]: expected keep or stop`);
  }
  if (overlap && onPartition === "stop") {
    throw new InvalidUnitError(
      `unit ${name}: Overlap=true and OnPartition=stop in [X-Fleet] contradict each other: two copies may run, or never`,
    );
  }
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
  checkPeers(name, requirements);
}

/** Every unit on a machine is compared with each condition of every other one: what one unit may cost all has a limit. */
function checkBounds(name: string, requirements: Requirements): void {
  const { machineOf, metadata, bounds, conflicts, replaces, preferences } = requirements;
  let [count, bytes] = [0, 0];
  const add = (...parts: readonly string[]): void => {
    count++;
    for (const part of parts) bytes += Buffer.byteLength(part);
  };
  for (const words of [machineOf, conflicts, replaces, preferences?.apart ?? []]) for (const word of words) add(word);
  for (const { key, values } of metadata) for (const value of values) add(key, value);
  for (const tests of [bounds, preferences?.metadata ?? []]) for (const { key, value } of tests) add(key, value);
  if (count > MOST_CONDITIONS || bytes > MOST_CONDITION_BYTES) {
    throw new InvalidUnitError(
      `unit ${name}: ${count} conditions of ${bytes} bytes in [X-Fleet] are more than the ${MOST_CONDITIONS} of ${MOST_CONDITION_BYTES} bytes that a unit may have: use globs, or a metadata key of its own`,
    );
  }
}

function checkPeers(name: string, { machineOf, conflicts, replaces }: Requirements): void {
  // What can't be a unit's name is never there, and never in conflict.
  for (const peer of machineOf.filter(isNameText)) {
    for (const [option, globs] of [
      ["Conflicts", conflicts],
      ["Replaces", replaces],
    ] as const) {
      const glob = globs.find((candidate) => globMatches(candidate, peer));
      if (glob === undefined) continue;
      throw new InvalidUnitError(
        `unit ${name}: MachineOf=${peer} and ${option}=${glob} in [X-Fleet] contradict each other; remove one`,
      );
    }
  }
}

/** Whether two sets of requirements let a unit be on the same machines; preferences move nothing. */
export function sameRequirements(one: Requirements, other: Requirements): boolean {
  const hard = ({ machineID, machineOf, metadata, bounds, conflicts, replaces, global }: Requirements): string =>
    JSON.stringify([machineID, machineOf, metadata, bounds, conflicts, replaces, global]);
  return hard(one) === hard(other);
}

/** Reads `key=value`, `key!=value`, `key>=number` and `key<=number`; what is none of them is left out. */
function metadataTests(pairs: readonly string[]): Preferences["metadata"][number][] {
  return pairs.flatMap((pair) => {
    const [, key = "", operator = "", value = ""] = METADATA_TEST.exec(pair) ?? [];
    if (operator === "") return [];
    if ((operator === ">=" || operator === "<=") && !isNumber(value)) return [];
    return [{ key, operator: operator as "=" | MetadataBound["operator"], value }];
  });
}

/** Whether a text is a condition that MachineMetadata and PreferMetadata take. */
export function isMetadataTest(text: string): boolean {
  return metadataTests([text]).length > 0;
}

/** Whether a text is a number, as bounds compare them. */
export function isNumber(text: string): boolean {
  return /^[-+]?(\d+\.?\d*|\.\d+)$/.test(text);
}

/** Several values for one key are alternatives. */
function alternatives(tests: Preferences["metadata"]): { key: string; values: string[] }[] {
  const byKey = new Map<string, string[]>();
  for (const { key, operator, value } of tests) {
    if (operator !== "=") continue;
    const values = byKey.get(key);
    if (values === undefined) byKey.set(key, [value]);
    else values.push(value);
  }
  return [...byKey].map(([key, values]) => ({ key, values: unique(values) }));
}

function readWeight(text: string | undefined): number {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Math.min(MOST_WEIGHT, Math.max(1, Number(text))) : 1;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

import type { UnitOption } from "./file.ts";
import {
  FLEET_OPTIONS,
  FLEET_SECTION,
  type FleetValue,
  fleetValueOf,
  fleetWords,
  leftOverOf,
  replaceSpecifiers,
  splitWords,
} from "./fleet-section.ts";
import { isGlob } from "./glob.ts";
import { expandUnitName, parseUnitName, type UnitName, unitNameProblem } from "./name.ts";
import { isMetadataTest, MOST_CONDITIONS, MOST_WEIGHT } from "./requirements.ts";

/** A unit with more options of fleet's has more conditions than it may, or more findings than anybody reads. */
const MOST_SEEN = 1_000;

/** Finds what takes no effect in the `[X-Fleet]` section of a unit, option by option in the order of the file. */
export class FleetLinter {
  readonly #unitName: UnitName | null;
  /** The line of each option that counts once only. */
  readonly #given = new Map<string, number>();
  #seen = 0;

  /** @param name a valid unit name; a template's options are looked at as those of an instance */
  constructor(name: string) {
    this.#unitName = parseUnitName(name.replace("@.", "@instance."));
  }

  /** What is wrong with an option, sentence by sentence, each with the line that it is about. */
  problems(option: UnitOption, line: number): readonly (readonly [line: number, why: string])[] {
    const { section, name } = option;
    const kind = fleetValueOf(name);
    if (section !== FLEET_SECTION) {
      const isLost =
        kind !== null && name !== "Conflicts" && !section.startsWith("X-") && misspeltFleetSection(section) === null;
      return isLost
        ? [[line, `option ${name} has no effect in [${section}]: fleet reads it in [${FLEET_SECTION}]`]]
        : [];
    }
    if (++this.#seen > MOST_SEEN) return [];
    if (kind === null) return [[line, unknownOption(name)]];
    const [words, leftOver] = [fleetWords(option.value), leftOverOf(option.value)];
    const texts = words.map((word) => (this.#unitName === null ? word : replaceSpecifiers(word, this.#unitName)));
    if (texts.every((text) => text === ""))
      return [[line, `${name}= is empty and has no effect: in [${FLEET_SECTION}] it takes nothing back`]];
    const found = texts.flatMap((text) => this.#wordProblems(kind, name, text)).map((why) => [line, why] as const);
    if (leftOver !== "")
      found.push([line, `${shown(leftOver)} in ${name} stands outside the quotes and has no effect`]);
    const repeated = this.#repeated(kind, name, line);
    return repeated === null ? found : [repeated, ...found];
  }

  #wordProblems(kind: FleetValue, name: string, text: string): readonly string[] {
    if (kind === "conditions") return conditionProblems(name, text);
    // A unit with more words is refused for that.
    const words = splitWords(text).slice(0, MOST_CONDITIONS);
    const quoted = words.find((word) => word.includes('"'));
    if (quoted !== undefined && kind !== "globs") return [strayQuote(name, quoted)];
    switch (kind) {
      case "globs":
        return globProblems(name, words);
      case "unit-names":
        return words.flatMap((word) => this.#peerProblem(name, word) ?? []);
      case "flag":
        if (/^(true|yes|1|on|t|false|no|0|off|f)$/i.test(text)) return [];
        return [`${shown(text)} is neither true nor false: ${name} counts as false`];
      case "weight":
        if (/^\d{1,5}$/.test(words.at(-1) ?? "") && words.length === 1) return [];
        return [`${shown(text)} is not a number from 1 to ${MOST_WEIGHT}: ${name} counts as 1`];
      default:
        return words.length < 2 ? [] : [`${name} takes one word, not ${shown(text)}`];
    }
  }

  #peerProblem(name: string, peer: string): string | null {
    if (peer === this.#unitName?.full) return `${name}=${peer} names the unit itself: it fits no machine`;
    const problem = unitNameProblem(peer);
    if (problem === null) return null;
    const guess = expandUnitName(peer);
    const hint = unitNameProblem(guess) === null ? `: did you mean ${guess}?` : "";
    return `${shown(peer)} in ${name} is not a unit's name (${problem}): the unit fits no machine${hint}`;
  }

  /** Of an option that counts once, the line that does not count; null: it counts each time. */
  #repeated(kind: FleetValue, name: string, line: number): readonly [line: number, why: string] | null {
    if (kind === "conditions" || kind === "globs" || kind === "unit-names") return null;
    const before = this.#given.get(name);
    if (before === undefined || kind !== "machine-id") this.#given.set(name, line);
    if (before === undefined) return null;
    const [idle, counts] = kind === "machine-id" ? [line, before] : [before, line];
    return [idle, `${name} has no effect here: the one in line ${counts} counts`];
  }
}

/** Why a section that looks like fleet's is none; null where it does not. */
export function misspeltFleetSection(section: string): string | null {
  if (section === FLEET_SECTION || !/^x?f(l?ee|le+)ts?$/.test(section.toLowerCase().replace(/[^a-z]/g, "")))
    return null;
  return `section [${section}] is not [${FLEET_SECTION}] and has no effect`;
}

function unknownOption(name: string): string {
  const meant = FLEET_OPTIONS.find((known) => known.toLowerCase() === name.toLowerCase());
  const hint = meant === undefined ? "" : `: did you mean ${meant}?`;
  return `option ${name} in [${FLEET_SECTION}] is not known and has no effect${hint}`;
}

function conditionProblems(name: string, text: string): readonly string[] {
  if (/["']/.test(text)) return [strayQuote(name, text)];
  if (isMetadataTest(text)) return [];
  const words = splitWords(text);
  const hint =
    words.length > 1 && words.every(isMetadataTest) ? ": put each condition in quotes, or on a line of its own" : "";
  return [
    `${shown(text)} in ${name} is not key=value, key!=value, key>=number or key<=number and has no effect${hint}`,
  ];
}

function globProblems(name: string, words: readonly string[]): readonly string[] {
  const bad = words.find((word) => !isGlob(word));
  if (bad !== undefined) return [`${shown(bad)} in ${name} is not a valid glob and matches nothing`];
  // No unit's name has such a character.
  const strange = words.find((word) => /["'/,;]/.test(word));
  return strange === undefined
    ? []
    : [`${shown(strange)} in ${name} matches no unit's name: globs are divided by spaces`];
}

function strayQuote(name: string, text: string): string {
  return `${shown(text)} in ${name} has a quote that counts as a character: a list of quoted words begins and ends with "`;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

import { BoundedCache } from "../cache/bounded-cache.ts";

/** One step of a compiled glob: a run of stars, any character, one character, or a set of them. */
type Step =
  | { readonly kind: "star" }
  | { readonly kind: "any" }
  | { readonly kind: "character"; readonly code: number }
  | CharacterSet;

interface CharacterSet {
  readonly kind: "set";
  readonly negated: boolean;
  readonly ranges: readonly (readonly [low: number, high: number])[];
  /**
   * The same for the characters of ASCII, a bit each, once it is asked for: names have no others, and a set may have
   * thousands of ranges.
   */
  ascii: readonly number[] | null;
}

/** What a glob begins with, character by character, and the steps after that. */
interface Compiled {
  readonly literal: string;
  readonly steps: readonly Step[];
  /** The length of the shortest name that it can match. */
  readonly least: number;
}

const compiled = new BoundedCache<string, Compiled | null>(10_000);

/**
 * Whether a glob matches a whole unit name, by the rules of Go's path.Match: `*`, `?`, `[a-z]`, `[^a]`, `\` escapes.
 * A malformed glob matches nothing. The time is at most length × length, whatever the pattern.
 */
export function globMatches(glob: string, name: string): boolean {
  let known = compiled.get(glob);
  if (known === undefined) {
    known = compileGlob(glob);
    compiled.set(glob, known);
  }
  // Most globs of a cluster end here for most names.
  if (known === null || name.length < known.least || !name.startsWith(known.literal)) return false;
  return run(known.steps, name, known.literal.length);
}

/** Whether a glob is well-formed: one that is not matches nothing. */
export function isGlob(glob: string): boolean {
  return compileGlob(glob) !== null;
}

function run(steps: readonly Step[], name: string, start: number): boolean {
  let step = 0;
  let at = start;
  let starStep = -1;
  let starAt = 0;
  while (at < name.length) {
    const current = steps[step];
    if (current?.kind === "star") {
      starStep = step++;
      starAt = at;
    } else if (current !== undefined && accepts(current, name.charCodeAt(at))) {
      step++;
      at++;
    } else if (starStep >= 0) {
      step = starStep + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (steps[step]?.kind === "star") step++;
  return step === steps.length;
}

const SLASH = 47;

function accepts(step: Step, code: number): boolean {
  switch (step.kind) {
    case "character":
      return step.code === code;
    case "any":
      return code !== SLASH;
    case "set":
      if (code >= 128) return inRanges(step, code);
      step.ascii ??= asciiOf(step);
      return (((step.ascii[code >> 5] ?? 0) >>> (code & 31)) & 1) === 1;
    default:
      return false;
  }
}

function inRanges({ ranges, negated }: CharacterSet, code: number): boolean {
  return ranges.some(([low, high]) => low <= code && code <= high) !== negated;
}

function asciiOf(set: CharacterSet): readonly number[] {
  const bits = [0, 0, 0, 0];
  for (const [low, high] of set.ranges) {
    for (let code = low; code <= Math.min(high, 127); code++)
      bits[code >> 5] = (bits[code >> 5] ?? 0) | (1 << (code & 31));
  }
  return set.negated ? bits.map((word) => ~word) : bits;
}

/** No unit may have more than 8 KiB of conditions: what is longer is not looked at, and matches nothing. */
const MOST_GLOB_LENGTH = 8 * 1024;

function compileGlob(glob: string): Compiled | null {
  return glob.length > MOST_GLOB_LENGTH ? null : compileSteps(glob);
}

function compileSteps(glob: string): Compiled | null {
  let literal = "";
  const steps: Step[] = [];
  for (let index = 0; index < glob.length; index++) {
    const character = glob[index] ?? "";
    if (character === "*") {
      if (steps.at(-1)?.kind !== "star") steps.push({ kind: "star" });
    } else if (character === "?") {
      steps.push({ kind: "any" });
    } else if (character === "[") {
      const set = compileSet(glob, index + 1);
      if (set === null) return null;
      steps.push(set.step);
      index = set.end;
    } else {
      const plain = character === "\\" ? glob[++index] : character;
      if (plain === undefined) return null;
      if (steps.length === 0) literal += plain;
      else steps.push({ kind: "character", code: plain.charCodeAt(0) });
    }
  }
  return { literal, steps, least: literal.length + steps.filter(({ kind }) => kind !== "star").length };
}

function compileSet(glob: string, start: number): { readonly step: Step; readonly end: number } | null {
  const ranges: [number, number][] = [];
  let index = start;
  const negated = glob[index] === "^";
  if (negated) index++;
  const bound = (): number | null => {
    let character = glob[index++];
    if (character === undefined || character === "-" || character === "]") return null;
    if (character === "\\") character = glob[index++];
    return character?.charCodeAt(0) ?? null;
  };
  while (index < glob.length) {
    if (glob[index] === "]" && ranges.length > 0)
      return { step: { kind: "set", negated, ranges, ascii: null }, end: index };
    const low = bound();
    if (low === null) return null;
    let high: number | null = low;
    if (glob[index] === "-") {
      index++;
      high = bound();
      if (high === null) return null;
    }
    ranges.push([low, high]);
  }
  return null;
}

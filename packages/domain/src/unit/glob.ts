import { BoundedCache } from "../cache/bounded-cache.ts";

/** One step of a compiled glob: a run of stars, any character, or a set of ranges. */
type Step =
  | { readonly kind: "star" }
  | { readonly kind: "any" }
  | { readonly kind: "set"; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

/** What a glob begins with, character by character, and the steps after that. */
interface Compiled {
  readonly literal: string;
  readonly steps: readonly Step[];
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
  return known !== null && name.startsWith(known.literal) && run(known.steps, name, known.literal.length);
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
    } else if (current !== undefined && accepts(current, name[at] ?? "")) {
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

function accepts(step: Step, character: string): boolean {
  if (character === "/") return step.kind === "set" && inRanges(step, character);
  return step.kind === "any" || (step.kind === "set" && inRanges(step, character));
}

function inRanges(step: Extract<Step, { kind: "set" }>, character: string): boolean {
  return step.ranges.some(([low, high]) => low <= character && character <= high) !== step.negated;
}

function compileGlob(glob: string): Compiled | null {
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
      else steps.push({ kind: "set", negated: false, ranges: [[plain, plain]] });
    }
  }
  return { literal, steps };
}

function compileSet(glob: string, start: number): { readonly step: Step; readonly end: number } | null {
  const ranges: [string, string][] = [];
  let index = start;
  const negated = glob[index] === "^";
  if (negated) index++;
  const bound = (): string | null => {
    let character = glob[index++];
    if (character === undefined || character === "-" || character === "]") return null;
    if (character === "\\") character = glob[index++];
    return character ?? null;
  };
  while (index < glob.length) {
    if (glob[index] === "]" && ranges.length > 0) return { step: { kind: "set", negated, ranges }, end: index };
    const low = bound();
    if (low === null) return null;
    let high: string | null = low;
    if (glob[index] === "-") {
      index++;
      high = bound();
      if (high === null) return null;
    }
    ranges.push([low, high]);
  }
  return null;
}

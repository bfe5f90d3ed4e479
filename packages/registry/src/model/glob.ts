/** One step of a compiled glob: a run of stars, any character, or a set of ranges. */
type Step =
  | { readonly kind: "star" }
  | { readonly kind: "any" }
  | { readonly kind: "set"; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

const compiled = new Map<string, readonly Step[] | null>();
const CACHE_LIMIT = 10_000;

/**
 * Whether a glob matches a whole unit name, by the rules of Go's path.Match: `*`, `?`, `[a-z]`, `[^a]`, `\` escapes.
 * A malformed glob matches nothing. The time is at most length × length, whatever the pattern.
 */
export function globMatches(glob: string, name: string): boolean {
  let steps = compiled.get(glob);
  if (steps === undefined) {
    steps = compileGlob(glob);
    if (compiled.size >= CACHE_LIMIT) compiled.clear();
    compiled.set(glob, steps);
  }
  return steps !== null && run(steps, name);
}

/** Whether a glob is well-formed: one that is not matches nothing. */
export function isGlob(glob: string): boolean {
  return compileGlob(glob) !== null;
}

function run(steps: readonly Step[], name: string): boolean {
  let step = 0;
  let at = 0;
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

function compileGlob(glob: string): readonly Step[] | null {
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
      const literal = character === "\\" ? glob[++index] : character;
      if (literal === undefined) return null;
      steps.push({ kind: "set", negated: false, ranges: [[literal, literal]] });
    }
  }
  return steps;
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

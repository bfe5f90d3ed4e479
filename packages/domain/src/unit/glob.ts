import { BoundedCache } from "../cache/bounded-cache.ts";
import { type Atom, GlobSegment } from "./glob-segment.ts";

/** No unit may have more than 8 KiB of conditions: what is longer is not looked at, and matches nothing. */
const MOST_GLOB_LENGTH = 8 * 1024;

/** A glob as its parts between stars: of one without a star the only part is at the beginning and at the end. */
interface Compiled {
  /** The plain characters that it begins with. */
  readonly literal: string;
  readonly segments: readonly GlobSegment[];
  /** The length of the shortest name that it can match. */
  readonly least: number;
}

const compiled = new BoundedCache<string, Compiled | null>(10_000);

/**
 * Whether a glob matches a whole unit name, by the rules of Go's path.Match: `*`, `?`, `[a-z]`, `[^a]`, `\` escapes.
 * A malformed glob matches nothing. The time grows with the length of the name, and with a 32nd of both lengths multiplied.
 */
export function globMatches(glob: string, name: string): boolean {
  let known = compiled.get(glob);
  if (known === undefined) {
    known = compileGlob(glob);
    compiled.set(glob, known);
  }
  // Most globs of a cluster end here for most names.
  if (known === null || name.length < known.least || !name.startsWith(known.literal)) return false;
  return matches(known, name);
}

/** Whether a glob is well-formed: one that is not matches nothing. */
export function isGlob(glob: string): boolean {
  return glob.length <= MOST_GLOB_LENGTH && atomsOf(glob) !== null;
}

/**
 * Whether a pattern may stand for several names: it has wildcards. A backslash makes none, and names that systemd has
 * escaped have some.
 */
export function hasWildcards(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/** Whether a glob stands for the name alone that it spells: it has neither wildcards nor escapes. */
export function isLiteralGlob(glob: string): boolean {
  return !hasWildcards(glob) && !glob.includes("\\");
}

function matches({ segments }: Compiled, name: string): boolean {
  const first = segments[0];
  const last = segments.at(-1);
  if (first === undefined || last === undefined || !first.isAt(name, 0)) return false;
  if (segments.length === 1) return first.length === name.length;
  // The last part is at the end: the others have to do with what is before it.
  const end = name.length - last.length;
  if (!last.isAt(name, end)) return false;
  let at = first.length;
  for (let index = 1; index < segments.length - 1; index++) {
    const segment = segments[index];
    const found = segment === undefined ? -1 : segment.find(name, at, end);
    if (segment === undefined || found < 0) return false;
    at = found + segment.length;
  }
  return at <= end;
}

function compileGlob(glob: string): Compiled | null {
  const parts = glob.length > MOST_GLOB_LENGTH ? null : atomsOf(glob);
  if (parts === null) return null;
  const least = parts.reduce((sum, atoms) => sum + atoms.length, 0);
  const [first = []] = parts;
  const special = first.findIndex(({ kind }) => kind !== "character");
  const plain = special < 0 ? first : first.slice(0, special);
  const literal = plain.map((atom) => ("code" in atom ? String.fromCharCode(atom.code) : "")).join("");
  // Between two stars in a row is nothing to look for.
  const inner = parts.filter((atoms, index) => atoms.length > 0 || index === 0 || index === parts.length - 1);
  return { literal, segments: inner.map((atoms) => new GlobSegment(atoms)), least };
}

/** The atoms of each part between stars; null: the glob is malformed. */
function atomsOf(glob: string): Atom[][] | null {
  let part: Atom[] = [];
  const parts = [part];
  for (let index = 0; index < glob.length; index++) {
    const character = glob[index] ?? "";
    if (character === "*") {
      part = [];
      parts.push(part);
    } else if (character === "?") {
      part.push({ kind: "any" });
    } else if (character === "[") {
      const set = setAt(glob, index + 1);
      if (set === null) return null;
      part.push(set.atom);
      index = set.end;
    } else {
      const plain = character === "\\" ? glob[++index] : character;
      if (plain === undefined) return null;
      part.push({ kind: "character", code: plain.charCodeAt(0) });
    }
  }
  return parts;
}

function setAt(glob: string, start: number): { readonly atom: Atom; readonly end: number } | null {
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
    if (glob[index] === "]" && ranges.length > 0) return { atom: { kind: "set", negated, ranges }, end: index };
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

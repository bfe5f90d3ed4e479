/** A name is like another one where at most so many of three letters have to change. */
const LETTERS_A_CHANGE = 3;

/**
 * The one of the candidates that is most like what was typed: fewest letters added, left out, changed or swapped.
 *
 * @returns null where none is like it
 */
export function mostLike(typed: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(1, Math.floor(stemLength(typed) / LETTERS_A_CHANGE)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - typed.length) >= least) continue;
    const changes = changesBetween(typed, candidate);
    if (changes < least) [best, least] = [candidate, changes];
  }
  return best;
}

/** Letters of a name without its type: all units share those. */
function stemLength(name: string): number {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? dot : name.length;
}

/** The optimal string alignment distance of two texts. */
function changesBetween(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      const changed = (last[column - 1] ?? 0) + (isSame ? 0 : 1);
      let least = Math.min(changed, (last[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1);
      if (one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1])
        least = Math.min(least, (before[column - 2] ?? 0) + 1);
      next.push(least);
    }
    [before, last] = [last, next];
  }
  return last[other.length] ?? 0;
}

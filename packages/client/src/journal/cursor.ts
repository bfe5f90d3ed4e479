/** What orders two entries of one machine's journal. */
interface Place {
  /** Numbers count only within the same of these. */
  readonly sequence: string;
  readonly number: number;
  /** Microseconds since 1970. */
  readonly atUs: number;
}

/**
 * Whether an entry comes after another one in the journal of one machine, by their cursors. Where journald has begun a new
 * sequence, as after its journal was removed, their times decide.
 */
export function isAfter(cursor: string, other: string): boolean {
  if (cursor === other) return false;
  const one = placeOf(cursor);
  const two = placeOf(other);
  if (one === null || two === null) return true;
  return one.sequence === two.sequence ? one.number > two.number : one.atUs > two.atUs;
}

/** The later of two cursors; null: there is none yet. */
export function latest(cursor: string, other: string | null): string {
  return other === null || isAfter(cursor, other) ? cursor : other;
}

function placeOf(cursor: string): Place | null {
  const part = (key: string): string | null => new RegExp(`(?:^|;)${key}=([0-9a-f]+)`).exec(cursor)?.[1] ?? null;
  const [sequence, number, at] = [part("s"), part("i"), part("t")];
  if (sequence === null || number === null || at === null) return null;
  return { sequence, number: Number.parseInt(number, 16), atUs: Number.parseInt(at, 16) };
}

/** What orders two entries of one machine's journal. */
interface Place {
  /** Numbers count only within the same of these. */
  readonly sequence: string;
  readonly number: number;
  /** Microseconds since 1970. */
  readonly atUs: number;
}

const SEQUENCE = /(?:^|;)s=([0-9a-f]+)/;
const NUMBER = /(?:^|;)i=([0-9a-f]+)/;
const TIME = /(?:^|;)t=([0-9a-f]+)/;

/** An entry's place in the journal of its machine, by its cursor, which is read once however often it is compared. */
export class Cursor {
  readonly text: string;
  /** Null: the text tells no place. */
  readonly #place: Place | null;

  constructor(text: string) {
    this.text = text;
    this.#place = placeOf(text);
  }

  /**
   * Whether an entry comes after another one of the same machine. Where journald has begun a new sequence, as after its
   * journal was removed, their times decide.
   */
  isAfter(other: Cursor): boolean {
    if (this.text === other.text) return false;
    const [one, two] = [this.#place, other.#place];
    if (one === null || two === null) return true;
    return one.sequence === two.sequence ? one.number > two.number : one.atUs > two.atUs;
  }
}

function placeOf(text: string): Place | null {
  const [sequence, number, at] = [SEQUENCE.exec(text)?.[1], NUMBER.exec(text)?.[1], TIME.exec(text)?.[1]];
  if (sequence === undefined || number === undefined || at === undefined) return null;
  return { sequence, number: Number.parseInt(number, 16), atUs: Number.parseInt(at, 16) };
}

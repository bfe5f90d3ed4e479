import type { JournalEntry } from "../description/link-schemas.ts";
import { isAfter, latest } from "./cursor.ts";

/** How far one machine's journal has been read: of each unit, so that a unit that arrives can be read from further back. */
export class Position {
  /** Up to where all units were read when the reader came. */
  readonly #begun: string | null;
  readonly #byUnit = new Map<string, string>();
  #read: string | null;

  /** @param begun a cursor; null: nothing was read */
  constructor(begun: string | null) {
    this.#begun = begun;
    this.#read = begun;
  }

  /** The latest entry that was read, by its cursor; null: none. */
  get read(): string | null {
    return this.#read;
  }

  /** Notes an entry as read. Returns false for one that was read before. */
  take({ unit, cursor }: JournalEntry): boolean {
    const before = this.#byUnit.get(unit) ?? this.#begun;
    if (before !== null && !isAfter(cursor, before)) return false;
    this.#byUnit.set(unit, cursor);
    this.#read = latest(cursor, this.#read);
    return true;
  }
}

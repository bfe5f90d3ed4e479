import type { JournalEntry } from "../description/link-schemas.ts";
import { Cursor } from "./cursor.ts";

/** How far one machine's journal has been read: of each unit, so that a unit that arrives can be read from further back. */
export class Position {
  /** Up to where all units were read when the reader came. */
  readonly #begun: Cursor | null;
  readonly #byUnit = new Map<string, Cursor>();
  #read: Cursor | null;

  /** @param begun a cursor; null: nothing was read */
  constructor(begun: string | null) {
    this.#begun = begun === null ? null : new Cursor(begun);
    this.#read = this.#begun;
  }

  /** The latest entry that was read, by its cursor; null: none. */
  get read(): string | null {
    return this.#read?.text ?? null;
  }

  /** Notes an entry as read. Returns false for one that was read before. */
  take({ unit, cursor: text }: JournalEntry): boolean {
    const cursor = new Cursor(text);
    const before = this.#byUnit.get(unit) ?? this.#begun;
    if (before !== null && !cursor.isAfter(before)) return false;
    this.#byUnit.set(unit, cursor);
    if (this.#read === null || cursor.isAfter(this.#read)) this.#read = cursor;
    return true;
  }
}

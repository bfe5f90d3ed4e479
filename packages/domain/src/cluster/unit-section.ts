import { object, part } from "./json-members.ts";

/** Characters of a section in a record at most: every change of where the unit is writes it anew. */
export const MOST_SECTION = 2_048;

/**
 * The hash of the file that the value of a unit's record names, where the record does not tell the file's section, as one
 * that a version before has written, also where the rest of it can't be read. Null: it tells it, or names no file.
 */
export function sectionlessFile(value: string): string | null {
  // Quotes within a text of JSON have a backslash before them: most records need no closer look.
  if (value.includes('"section":"')) return null;
  const record = object(value);
  return record === null || typeof record.section === "string" ? null : part(record.hash);
}

/** The value of a unit's record, an object, with the `[X-Fleet]` section of its file added. */
export function withSection(value: string, section: string): string {
  return JSON.stringify({ ...object(value), section });
}

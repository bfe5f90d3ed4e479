import { InvalidUnitError, UnitFileError } from "../unit/errors.ts";
import { hashText, hashUnitFile, parseUnitFile } from "../unit/file.ts";

/** A unit's text as its user wrote it, with comments and line ends, where that is not the file that fleet writes out. */
export interface UnitSource {
  /** SHA-1, 40 hex digits. */
  readonly hash: string;
  readonly text: string;
}

/**
 * The source to be kept of a unit.
 *
 * @param text as the user wrote it
 * @param hash of the file that fleet writes out of the options that came with it
 * @returns null: the text is that file
 * @throws InvalidUnitError where the text is no text of that file
 */
export function sourceOf(name: string, text: string, hash: string): UnitSource | null {
  const problem = sourceProblem(text, hash);
  if (problem !== null) throw new InvalidUnitError(`the text of unit ${name} can't be kept: ${problem}`);
  const source = { hash: hashText(text), text };
  return source.hash === hash ? null : source;
}

/** Whether a text is one of a unit's file: it may be told as what the user wrote. */
export function isSourceOf(text: string, hash: string): boolean {
  return sourceProblem(text, hash) === null;
}

function sourceProblem(text: string, hash: string): string | null {
  try {
    return hashUnitFile(parseUnitFile(text)) === hash ? null : "it has other options than those given with it";
  } catch (error) {
    if (error instanceof UnitFileError) return error.message;
    throw error;
  }
}

import { UnitFileError } from "./errors.ts";
import { trimSpace } from "./white-space.ts";

/** The longest line systemd 252 reads (LONG_LINE_MAX), in bytes; also of lines that carry on, all together. */
export const LINE_LIMIT = 1024 * 1024;

/** A line of a unit file as systemd takes it: with the lines that it carries on to, and without comments. */
export interface LogicalLine {
  /** The line that it begins in, from 1. */
  readonly number: number;
  /**
   * Its lines without their ends. Comments between them are left out, but for those that end in a backslash: the old
   * fleet keeps these in a value, and hashes depend on it.
   */
  readonly lines: readonly string[];
  /** Whether it ends in a backslash that has nothing to carry it on to: a blank line follows, or the file ends. */
  readonly isOpen: boolean;
}

/**
 * The lines of a unit file as systemd's parser joins them; blank ones and comments are left out. A comment does not carry
 * on, and two backslashes at a line's end are a backslash, which does not carry on either.
 *
 * @throws UnitFileError naming the line
 */
export function eachLogicalLine(text: string, take: (line: LogicalLine) => void): void {
  // systemd skips a byte order mark too, but takes nothing behind it for a comment.
  const hasMark = text.startsWith(BYTE_ORDER_MARK);
  const lines = (hasMark ? text.slice(1) : text).split("\n");
  checkLines(text, lines);
  // A character has three bytes at most.
  const mayBeTooLong = text.length * 3 > LINE_LIMIT;
  for (let index = 0; index < lines.length; index++) {
    const line = withoutReturn(lines[index] ?? "");
    if (isBlank(line) || (isComment(line) && !(hasMark && index === 0))) continue;
    if (!line.endsWith("\\")) {
      take({ number: index + 1, lines: [line], isOpen: false });
      continue;
    }
    const joined = carryOn(lines, index, mayBeTooLong);
    take({ number: index + 1, lines: joined.lines, isOpen: joined.isOpen });
    index = joined.last;
  }
}

function carryOn(
  lines: readonly string[],
  start: number,
  mayBeTooLong: boolean,
): { readonly lines: readonly string[]; readonly last: number; readonly isOpen: boolean } {
  const first = withoutReturn(lines[start] ?? "");
  const taken = [first];
  let isOpen = carriesOn(first);
  let length = mayBeTooLong ? Buffer.byteLength(first) : 0;
  let index = start;
  while (isOpen && index + 1 < lines.length) {
    const line = withoutReturn(lines[++index] ?? "");
    if (isBlank(line)) break;
    const isLeftOut = isComment(line) && !line.endsWith("\\");
    if (isLeftOut) continue;
    taken.push(line);
    if (mayBeTooLong) length += 1 + Buffer.byteLength(line);
    if (length > LINE_LIMIT)
      throw new UnitFileError(index + 1, `the continued line is longer than systemd's ${LINE_LIMIT} bytes`);
    if (!isComment(line)) isOpen = carriesOn(line);
  }
  return { lines: taken, last: index, isOpen };
}

/** Whether systemd takes a line for a comment: it knows fewer kinds of white space than the old fleet. */
export function isComment(line: string): boolean {
  const first = line.charCodeAt(firstVisible(line));
  return first === HASH || first === SEMICOLON;
}

/** Whether a line begins a section, by the same white space. */
export function isSection(line: string): boolean {
  return line.charCodeAt(firstVisible(line)) === BRACKET;
}

function firstVisible(line: string): number {
  for (let index = 0; ; index++) {
    const code = line.charCodeAt(index);
    if (code !== SPACE && code !== TAB && code !== RETURN) return index;
  }
}

/** Files may have a hundred thousand lines: most show by their first character that they are not blank. */
function isBlank(line: string): boolean {
  const code = line.charCodeAt(0);
  return !(code > 0x20 && code < 0x7f) && trimSpace(line) === "";
}

/** Whether the backslashes at a text's end, taken in pairs, leave one that carries it on. */
export function carriesOn(text: string): boolean {
  let first = text.length;
  while (first > 0 && text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (text.length - first) % 2 === 1;
}

// Characters by their codes: an index outside of a text, as of every empty line, is slow to look up otherwise.
const [TAB, RETURN, SPACE, HASH, SEMICOLON, BRACKET, BACKSLASH] = [0x09, 0x0d, 0x20, 0x23, 0x3b, 0x5b, 0x5c];

const BYTE_ORDER_MARK = "\uFEFF";

/** A carriage return that no newline follows: systemd ends the line there, so that nobody would see what comes after. */
const LONE_RETURN = /\r(?!\n|$)/;

function checkLines(text: string, lines: readonly string[]): void {
  const isSuspect =
    text.includes("\0") ||
    !text.isWellFormed() ||
    LONE_RETURN.test(text) ||
    text.includes(BYTE_ORDER_MARK) ||
    text.length * 3 > LINE_LIMIT;
  if (!isSuspect) return;
  for (const [index, line] of lines.entries()) {
    if (line.includes("\0")) throw new UnitFileError(index + 1, "a NUL byte is not allowed");
    if (!line.isWellFormed()) throw new UnitFileError(index + 1, "the text is not valid UTF-8");
    if (LONE_RETURN.test(line)) {
      throw new UnitFileError(index + 1, "a carriage return in the middle of a line, where systemd would end it");
    }
    if (line.startsWith(BYTE_ORDER_MARK))
      throw new UnitFileError(index + 1, "the line begins with a byte order mark, which systemd may skip");
    if (line.length * 3 > LINE_LIMIT && Buffer.byteLength(line) > LINE_LIMIT) {
      throw new UnitFileError(index + 1, `the line is longer than systemd's ${LINE_LIMIT} bytes`);
    }
  }
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

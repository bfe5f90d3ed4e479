import { createHash } from "node:crypto";
import { UnitFileError } from "./errors.ts";
import { isSpaceAt, trimSpace } from "./white-space.ts";

/** One `Name=value` of a unit file, in the section it stands in. An empty value resets a list in systemd. */
export interface UnitOption {
  readonly section: string;
  readonly name: string;
  readonly value: string;
}

/** The longest line systemd 252 reads (LONG_LINE_MAX), in bytes. */
export const LINE_LIMIT = 1024 * 1024;

/**
 * Reads a unit file into its options, in file order.
 *
 * @param source the file's bytes, or its text
 * @throws UnitFileError naming the line
 */
export function parseUnitFile(source: string | Uint8Array): UnitOption[] {
  const options: UnitOption[] = [];
  walkUnitFile(source, { onOption: (option) => options.push(option) });
  return options;
}

/** Hears of what stands in a unit file, line by line; lines count from 1. */
export interface UnitFileVisitor {
  readonly onOption: (option: UnitOption, line: number) => void;
  readonly onSection?: (name: string, line: number) => void;
  /** A line before the first section, which is ignored. */
  readonly onStray?: (line: number) => void;
}

/**
 * Reads a unit file and tells what stands where.
 *
 * @throws UnitFileError naming the line
 */
export function walkUnitFile(source: string | Uint8Array, visitor: UnitFileVisitor): void {
  // systemd skips a byte order mark too.
  const text = (typeof source === "string" ? source : decode(source)).replace(/^\uFEFF/, "");
  const lines = text.split("\n");
  checkLines(text, lines);
  let section: string | null = null;
  for (let index = 0; index < lines.length; index++) {
    const line = withoutReturn(lines[index] ?? "");
    const start = firstVisible(line);
    if (start === line.length) continue;
    const first = line[start];
    if (first === "#" || first === ";") {
      index = endOfComment(lines, index);
    } else if (first === "[") {
      section = sectionName(line.slice(start), index + 1);
      visitor.onSection?.(section, index + 1);
    } else if (section === null) {
      visitor.onStray?.(index + 1);
    } else {
      const equals = line.indexOf("=", start);
      const name = optionName(line, start, equals, index + 1);
      const value = valueLines(lines, index, line.slice(equals + 1));
      visitor.onOption({ section, name, value: optionValue(value) }, index + 1);
      index += value.length - 1;
    }
  }
}

/**
 * Writes options as a unit file: grouped by section in the order in which the sections first appear. Two files with
 * the same options in another layout come out alike.
 */
export function serializeUnitFile(options: readonly UnitOption[]): string {
  const sections = new Map<string, string[]>();
  for (const { section, name, value } of options) {
    let lines = sections.get(section);
    if (lines === undefined) {
      lines = [`[${section}]\n`];
      sections.set(section, lines);
    }
    lines.push(`${name}=${value}\n`);
  }
  return [...sections.values()].map((lines) => lines.join("")).join("\n");
}

/** The SHA-1 of the serialised text, 40 hex digits: the same that the old fleet computes. */
export function hashUnitFile(options: readonly UnitOption[]): string {
  return hashText(serializeUnitFile(options));
}

/** The SHA-1 of an already serialised unit file, 40 hex digits. */
export function hashText(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/**
 * What keeps options that did not come from a file, but from an API client, from being written as one; null where
 * nothing does. Without this check a newline in a value would smuggle in options that nobody sees.
 */
export function invalidOption(options: readonly UnitOption[]): string | null {
  for (const { section, name, value } of options) {
    const where = `option ${shown(name)} in section ${shown(section)}`;
    if (section === "" || /[\]\n\r\0]/.test(section)) return `${where}: a section is text without ] and line ends`;
    if (name === "" || trimSpace(name) !== name || /[=\n\r\0]/.test(name) || /^[[#;]/.test(name)) {
      return `${where}: a name is text without =, line ends and white space around it`;
    }
    const text = `${section}${name}${value}`;
    if (text.includes("\0")) return `${where}: a NUL byte is not allowed`;
    if (!text.isWellFormed()) return `${where}: the text is not valid Unicode`;
    if (value.includes("\r")) return `${where}: systemd would end the line at the carriage return`;
    if (/(?:^|[^\\])\n/.test(value.replace(/\\\n$/, "\\"))) {
      return `${where}: a line end in a value needs a backslash before it`;
    }
    if (trimSpace(value.replace(/\\\n$/, "\\")) !== value.replace(/\\\n$/, "\\")) {
      return `${where}: white space around a value is not kept by systemd; leave it out`;
    }
    if (value.endsWith("\\")) return `${where}: a value that ends in a backslash would swallow the next line`;
    if (value.split("\n").some((line) => Buffer.byteLength(line) + Buffer.byteLength(name) + 1 > LINE_LIMIT)) {
      return `${where}: a line is longer than systemd's ${LINE_LIMIT} bytes`;
    }
  }
  return null;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    let line = 1;
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    for (let start = 0; start <= bytes.length; line++) {
      const newline = bytes.indexOf(0x0a, start);
      const end = newline < 0 ? bytes.length : newline;
      try {
        decoder.decode(bytes.subarray(start, end));
      } catch (error) {
        throw new UnitFileError(line, "the text is not valid UTF-8", error);
      }
      start = end + 1;
    }
    throw new UnitFileError(line, "the text is not valid UTF-8");
  }
}

/** A carriage return that no newline follows: systemd ends the line there, so that nobody would see what comes after. */
const LONE_RETURN = /\r(?!\n|$)/;

function checkLines(text: string, lines: readonly string[]): void {
  const isSuspect =
    text.includes("\0") || !text.isWellFormed() || LONE_RETURN.test(text) || text.length * 3 > LINE_LIMIT;
  if (!isSuspect) return;
  for (const [index, line] of lines.entries()) {
    if (line.includes("\0")) throw new UnitFileError(index + 1, "a NUL byte is not allowed");
    if (!line.isWellFormed()) throw new UnitFileError(index + 1, "the text is not valid UTF-8");
    if (LONE_RETURN.test(line)) {
      throw new UnitFileError(index + 1, "a carriage return in the middle of a line, where systemd would end it");
    }
    if (line.length * 3 > LINE_LIMIT && Buffer.byteLength(line) > LINE_LIMIT) {
      throw new UnitFileError(index + 1, `the line is longer than systemd's ${LINE_LIMIT} bytes`);
    }
  }
}

function sectionName(line: string, number: number): string {
  const end = line.indexOf("]");
  if (end < 0) throw new UnitFileError(number, `the section ${shown(line)} has no closing ]`);
  const rest = trimSpace(line.slice(end + 1));
  if (rest !== "") throw new UnitFileError(number, `found ${shown(rest)} after the section ${line.slice(0, end + 1)}`);
  const name = line.slice(1, end);
  if (name === "") throw new UnitFileError(number, "the section has no name");
  return name;
}

/** The index of a comment's last line: a backslash at its end carries it on. */
function endOfComment(lines: readonly string[], index: number): number {
  let end = index;
  while (end + 1 < lines.length && withoutReturn(lines[end] ?? "").endsWith("\\")) end++;
  return end;
}

/** @param equals where the line's first = is, negative: it has none */
function optionName(line: string, start: number, equals: number, number: number): string {
  if (equals < 0) throw new UnitFileError(number, `expected Name=value, found ${shown(trimSpace(line))}`);
  const name = trimSpace(line.slice(start, equals));
  if (name === "") throw new UnitFileError(number, "expected a name before =");
  return name;
}

/** An option's value, line by line: a backslash at a line's end carries it on, unless the next line is blank. */
function valueLines(lines: readonly string[], index: number, first: string): readonly string[] {
  const value = [first];
  for (let next = index + 1; next < lines.length && value[value.length - 1]?.endsWith("\\"); next++) {
    const line = withoutReturn(lines[next] ?? "");
    if (firstVisible(line) === line.length) break;
    value.push(line);
  }
  return value;
}

/**
 * Joins a value's lines. A value that ends in a backslash keeps a line end behind it, or it would swallow the line
 * after it once it is written out again.
 */
function optionValue(lines: readonly string[]): string {
  const value = trimSpace(lines.join("\n"));
  return value.endsWith("\\") ? `${value}\n` : value;
}

function firstVisible(line: string): number {
  let index = 0;
  while (index < line.length && isSpaceAt(line, index)) index++;
  return index;
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

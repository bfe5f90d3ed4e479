import { createHash } from "node:crypto";
import { UnitFileError, UnitTooLargeError } from "./errors.ts";
import { carriesOn, eachLogicalLine, isComment, isSection, LINE_LIMIT, type LogicalLine } from "./logical-lines.ts";
import { trimSpace } from "./white-space.ts";

/** One `Name=value` of a unit file, in the section it stands in. An empty value resets a list in systemd. */
export interface UnitOption {
  readonly section: string;
  readonly name: string;
  /** As it is written, with the backslashes and line ends of one that carries on: joinedValue has what systemd makes of it. */
  readonly value: string;
}

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
 * Reads a unit file and tells what stands where. Lines, comments, sections and options are those that systemd sees.
 *
 * @throws UnitFileError naming the line
 */
export function walkUnitFile(source: string | Uint8Array, visitor: UnitFileVisitor): void {
  let section: string | null = null;
  eachLogicalLine(typeof source === "string" ? source : decode(source), (line) => {
    const first = line.lines[0] ?? "";
    if (isSection(first)) {
      section = sectionName(trimSpace(line.lines.join("\n")), line.number);
      visitor.onSection?.(section, line.number);
    } else if (section === null) {
      visitor.onStray?.(line.number);
    } else {
      const equals = first.indexOf("=");
      const name = optionName(first, equals, line.number);
      visitor.onOption({ section, name, value: optionValue(line, equals) }, line.number);
    }
  });
}

/**
 * What systemd makes of an option's value: the lines of one that carries on are joined by white space, and comments
 * between them are left out.
 */
export function joinedValue(value: string): string {
  if (!value.includes("\n")) return trimSpace(value);
  let joined = "";
  for (const [index, line] of value.split("\n").entries()) {
    if (index > 0 && isComment(line)) continue;
    joined += carriesOn(line) ? `${line.slice(0, -1)} ` : line;
  }
  return trimSpace(joined);
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

/** The bytes that a unit's text may have where nothing else is configured. */
export const UNIT_SIZE_LIMIT = 256 * 1024;

/**
 * Checks how large a unit is, before anything else is done with it: every daemon reads it, and etcd keeps it.
 *
 * @param limit in bytes, of the text as it is written out, and of `text`
 * @param text as its user wrote it; null or absent: that is not known
 * @throws UnitTooLargeError
 */
export function checkUnitSize(
  name: string,
  options: readonly UnitOption[],
  limit: number = UNIT_SIZE_LIMIT,
  text?: string | null,
): void {
  const bytes = Math.max(Buffer.byteLength(serializeUnitFile(options)), Buffer.byteLength(text ?? ""));
  if (bytes > limit) throw new UnitTooLargeError(name, bytes, limit);
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
  for (const option of options) {
    if (isPlain(option)) continue;
    const why = partsProblem(option) ?? valueProblem(option);
    if (why !== null) return `option ${shown(option.name)} in section ${shown(option.section)}: ${why}`;
  }
  return null;
}

/** Whether an option has nothing in it that needs a closer look, as nearly all have. */
function isPlain({ section, name, value }: UnitOption): boolean {
  return (
    name.length + value.length < LINE_LIMIT / 2 &&
    PLAIN_SECTION.test(section) &&
    PLAIN_NAME.test(name) &&
    PLAIN_VALUE.test(value)
  );
}

const PLAIN_SECTION = /^[ -\\^-~]+$/;
const PLAIN_NAME = /^(?![[#;])[!-<>-~](?:[ -<>-~]*[!-<>-~])?$/;
const PLAIN_VALUE = /^(?:[!-[\]-~]|[!-~][ -~]*[!-[\]-~])?$/;

/** What would be written out as a section or a comment, or lose its first character. */
const NOT_A_NAME = /^[[#;\uFEFF]/;

function partsProblem({ section, name, value }: UnitOption): string | null {
  if (PLAIN_SECTION.test(section) && PLAIN_NAME.test(name)) return textProblem(value);
  if (section === "" || /[\]\n\r\0]/.test(section)) return "a section is text without ] and line ends";
  if (name === "" || trimSpace(name) !== name || /[=\n\r\0]/.test(name) || NOT_A_NAME.test(name)) {
    return "a name is text without =, line ends and white space around it";
  }
  return textProblem(`${section}${name}${value}`);
}

function textProblem(text: string): string | null {
  if (text.includes("\0")) return "a NUL byte is not allowed";
  return text.isWellFormed() ? null : "the text is not valid Unicode";
}

function valueProblem({ name, value }: UnitOption): string | null {
  if (value.includes("\r")) return "systemd would end the line at the carriage return";
  if (value.includes("\n\uFEFF")) return "systemd may skip the byte order mark at a line's beginning";
  const lines = value.split("\n");
  let isOpen = true;
  for (const [index, line] of lines.entries()) {
    const isBlank = index > 0 && trimSpace(line) === "";
    if (!isOpen || (isBlank && index < lines.length - 1)) return "a line end in a value needs a backslash before it";
    // A comment without a backslash is lost where it is read again.
    if (index > 0 && isComment(line)) {
      if (!line.endsWith("\\")) return "a comment in a value needs a backslash at its end";
    } else isOpen = carriesOn(line);
  }
  if (isOpen) return "a value that ends in a backslash would swallow the next line";
  if (canonical(value, endsInBlank(lines)) !== value)
    return "white space around a value is not kept by systemd; leave it out";
  // A character has three bytes at most.
  const mayBeTooLong = (value.length + name.length) * 3 + 1 > LINE_LIMIT;
  const isTooLong = mayBeTooLong && Buffer.byteLength(value) + Buffer.byteLength(name) + 1 > LINE_LIMIT;
  return isTooLong ? `a line is longer than systemd's ${LINE_LIMIT} bytes` : null;
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

function sectionName(line: string, number: number): string {
  const end = line.indexOf("]");
  if (end < 0) throw new UnitFileError(number, `the section ${shown(line)} has no closing ]`);
  const rest = trimSpace(line.slice(end + 1));
  if (rest !== "") throw new UnitFileError(number, `found ${shown(rest)} after the section ${line.slice(0, end + 1)}`);
  const name = line.slice(1, end);
  if (name.includes("\n")) throw new UnitFileError(number, "the section's name carries on to the next line");
  if (name === "") throw new UnitFileError(number, "the section has no name");
  return name;
}

/** @param equals where the line's first = is, negative: it has none */
function optionName(line: string, equals: number, number: number): string {
  if (equals < 0) throw new UnitFileError(number, `expected Name=value, found ${shown(trimSpace(line))}`);
  const name = trimSpace(line.slice(0, equals));
  if (name === "") throw new UnitFileError(number, "expected a name before =");
  // Only white space that systemd does not know as such, or a byte order mark, can have kept it from being seen as another thing.
  if (NOT_A_NAME.test(name)) throw new UnitFileError(number, `expected Name=value, found ${shown(line)}`);
  return name;
}

function optionValue({ lines, isOpen }: LogicalLine, equals: number): string {
  const [first = ""] = lines;
  const begin = first.slice(equals + 1);
  if (lines.length === 1) return canonical(begin, isOpen);
  return canonical(lines.with(0, begin).join("\n"), isOpen || endsInBlank(lines));
}

/** Whether a blank line stopped a value from carrying on. */
function endsInBlank(lines: readonly string[]): boolean {
  return lines.length > 1 && trimSpace(lines.at(-1) ?? "") === "";
}

/**
 * A value as it is written out. White space around it is left out, as the old fleet does, unless a backslash would then
 * carry the line on that did not: where a blank line or the file's end stopped one the value ends in a line end, and
 * where white space stood behind one it ends in a space.
 *
 * @param isStopped whether a blank line or the file's end stopped it from carrying on
 */
function canonical(text: string, isStopped: boolean): string {
  const value = trimSpace(text);
  if (isStopped) return `${value}\n`;
  return carriesOn(value) ? `${value} ` : value;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

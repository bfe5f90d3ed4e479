import type { JournalEntry } from "@fleet/client";
import { terminalLine, terminalText } from "@fleet/domain/text";
import { momentText } from "../printing/amounts.ts";
import { jsonText } from "../printing/output.ts";

/** Graver than this, and as grave, are shown in red; a warning in yellow. */
const ERROR = 3;
const WARNING = 4;
/** What programs colour their words with. */
const COLORS = /\u001b\[[0-9;]*m/g;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * An entry as lines for people, as journalctl's formats have it: time, host, who and message, whose further lines stand
 * under the first. The message alone in format cat.
 *
 * @param format one of the short formats, or cat
 * @param hasColors whether grave entries are painted
 */
export function entryLines(entry: JournalEntry, format: string, hasColors: boolean): readonly string[] {
  // A program chooses the name that its lines are under: it can't begin a line of its own with that.
  const head =
    format === "cat" ? "" : terminalLine(`${timeText(entry.timestamp, format)} ${hostOf(entry)} ${whoOf(entry)}: `);
  const [first = "", ...others] = terminalText(entry.message.replace(COLORS, "")).split("\n");
  const paint = painterOf(entry.priority, hasColors);
  return [head + paint(first), ...others.map((line) => " ".repeat(head.length) + paint(line))];
}

/** What people call an entry's machine. */
export function hostOf({ hostname, machineID }: Pick<JournalEntry, "hostname" | "machineID">): string {
  return hostname?.split(".")[0] ?? machineID.slice(0, 8);
}

function whoOf({ identifier, pid, unit }: JournalEntry): string {
  return `${identifier ?? unit}${pid === undefined ? "" : `[${pid}]`}`;
}

function painterOf(priority: number | undefined, hasColors: boolean): (text: string) => string {
  if (!hasColors || priority === undefined || priority > WARNING) return (text) => text;
  const code = priority <= ERROR ? 31 : 33;
  return (text) => (text === "" ? "" : `\u001b[${code}m${text}\u001b[0m`);
}

/** A time, RFC 3339 with microseconds, as a short format writes it, in this process's time zone. */
function timeText(timestamp: string, format: string): string {
  const date = new Date(timestamp);
  if (Number.isNaN(date.getTime())) return timestamp;
  const micros = (/\.(\d{1,6})/.exec(timestamp)?.[1] ?? "").padEnd(6, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  switch (format) {
    case "short-iso":
      return `${day}T${time}${offsetOf(date)}`;
    case "short-iso-precise":
      return `${day}T${time}.${micros}${offsetOf(date)}`;
    case "short-full":
      return momentText(date);
    case "short-unix":
      return `${Math.floor(date.getTime() / 1000)}.${micros}`;
    default: {
      const short = `${MONTHS[date.getMonth()]} ${two(date.getDate())} ${time}`;
      return format === "short-precise" ? `${short}.${micros}` : short;
    }
  }
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

function offsetOf(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** Every field of an entry, as journalctl prints them; of an entry that has none, those that are known. */
function fieldsOf({ fields, cursor, timestamp, priority, identifier, pid, message, unit }: JournalEntry) {
  return (
    fields ?? {
      __CURSOR: cursor,
      __REALTIME_TIMESTAMP: String(Date.parse(timestamp) * 1000),
      _SYSTEMD_UNIT: unit,
      ...(priority === undefined ? {} : { PRIORITY: String(priority) }),
      ...(identifier === undefined ? {} : { SYSLOG_IDENTIFIER: identifier }),
      ...(pid === undefined ? {} : { _PID: String(pid) }),
      MESSAGE: message,
    }
  );
}

/** An entry as journalctl's JSON: one line, or several with indentation. */
export function entryJson(entry: JournalEntry, isPretty: boolean): string {
  return `${jsonText(fieldsOf(entry), isPretty ? 2 : 0)}\n`;
}

/** An entry in the journal export format, which `systemd-journal-remote` reads. */
export function entryExport(entry: JournalEntry): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(fieldsOf(entry)))
    for (const one of valuesOf(value)) parts.push(exportField(name, one));
  return Buffer.concat([...parts, Buffer.from("\n")]);
}

/** The values of a field: bytes come as a list of numbers, several values as a list; none of what was too large. */
function valuesOf(value: string | readonly (string | number)[] | null): readonly (string | Uint8Array)[] {
  if (value === null) return [];
  if (typeof value === "string") return [value];
  const texts = value.filter((one) => typeof one === "string");
  return texts.length > 0 ? texts : [Uint8Array.from(value as readonly number[])];
}

function exportField(name: string, value: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(value);
  // Text of one line stands behind a "="; anything else behind its length.
  const isLine = typeof value === "string" && !/[\0-\x08\n-\x1f]/.test(value);
  if (isLine) return Buffer.concat([Buffer.from(`${name}=`), bytes, Buffer.from("\n")]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, bytes, Buffer.from("\n")]);
}

import type { JournalEntry, JournalFields } from "../description/link-schemas.ts";

/** What stays the same for all entries of one machine's journal. */
export interface EntrySource {
  readonly machineID: string;
  readonly hostname: string | undefined;
  /** The units that were asked for: an entry is about the first that it names. */
  readonly units: ReadonlySet<string>;
  readonly allFields: boolean;
}

/** An entry with what it is put in order by. */
export interface TimedEntry {
  readonly entry: JournalEntry;
  /** Microseconds since 1970 by the machine's clock. */
  readonly atUs: number;
  /** Characters of the line that it was read from: what it takes in memory, about. */
  readonly size: number;
}

/** Fields that name the unit that an entry is about, whoever wrote it. */
const UNIT_FIELDS = [
  ...["_SYSTEMD_UNIT", "UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT"],
  ...["_SYSTEMD_USER_UNIT", "USER_UNIT", "OBJECT_SYSTEMD_USER_UNIT", "COREDUMP_USER_UNIT"],
];
const US_PER_S = 1_000_000;

/** An entry as `journalctl --output=json` prints it; null: the line is none. */
export function readEntry(line: string, { machineID, hostname, units, allFields }: EntrySource): TimedEntry | null {
  const fields = fieldsOf(line);
  if (fields === null) return null;
  const cursor = fields.__CURSOR;
  const atUs = Number(fields.__REALTIME_TIMESTAMP);
  if (typeof cursor !== "string" || !Number.isSafeInteger(atUs)) return null;
  const unit = unitOf(fields, units);
  const priority = numberIn(fields.PRIORITY);
  const identifier = textIn(fields.SYSLOG_IDENTIFIER) ?? textIn(fields._COMM);
  const pid = numberIn(fields._PID) ?? numberIn(fields.SYSLOG_PID);
  const host = hostname ?? textIn(fields._HOSTNAME);
  const entry = {
    unit,
    machineID,
    ...(host === null ? {} : { hostname: host }),
    cursor,
    timestamp: timestampOf(atUs),
    ...(priority === null ? {} : { priority }),
    ...(identifier === null ? {} : { identifier }),
    ...(pid === null ? {} : { pid }),
    message: textIn(fields.MESSAGE) ?? "",
    ...(allFields ? { fields } : {}),
  };
  return { entry, atUs, size: line.length };
}

/** The unit that an entry is about: the first that it names of those that were asked for, or of any. */
function unitOf(fields: JournalFields, units: ReadonlySet<string>): string {
  let first = "";
  for (const field of UNIT_FIELDS) {
    const unit = fields[field];
    if (typeof unit !== "string") continue;
    if (units.has(unit)) return unit;
    if (first === "") first = unit;
  }
  return first;
}

/** The second that was told last: entries come in order, and writing a date takes longer than reading the rest of one. */
let latestSecond = { second: Number.NaN, text: "" };

/** RFC 3339 with microseconds. */
export function timestampOf(us: number): string {
  const second = Math.floor(us / US_PER_S);
  if (second !== latestSecond.second)
    latestSecond = { second, text: new Date(second * 1000).toISOString().slice(0, 19) };
  return `${latestSecond.text}.${String(us - second * US_PER_S).padStart(6, "0")}Z`;
}

function fieldsOf(line: string): JournalFields | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JournalFields) : null;
  } catch {
    return null;
  }
}

/** A field as text: bytes that are no UTF-8 are replaced, and of several values the first counts. */
function textIn(value: JournalFields[string] | undefined): string | null {
  if (typeof value === "string") return value;
  if (!Array.isArray(value) || value.length === 0) return null;
  if (typeof value[0] === "number") return Buffer.from(value as readonly number[]).toString();
  return typeof value[0] === "string" ? value[0] : null;
}

function numberIn(value: JournalFields[string] | undefined): number | null {
  const text = textIn(value);
  return text !== null && /^\d{1,10}$/.test(text) ? Number(text) : null;
}

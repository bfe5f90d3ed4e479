import type { FleetEvent } from "@fleet/client/description";

/** The place in the log where events were missed. */
export interface MissedEvents {
  readonly kind: "gap";
  /** The etcd revision from which on the log is complete again. */
  readonly revision: number;
  readonly time: string;
  /** Why, for people. */
  readonly message: string;
}

/** What a log of events consists of, in the order of revisions. */
export type LogEntry = FleetEvent | MissedEvents;

/** A log of events as it was at a time. */
export interface KeptEvents {
  /** Every event after this revision is in it, but where it says that events were missed. */
  readonly since: number;
  /** Up to this revision. */
  readonly revision: number;
  /** When it was known to be complete up to there. */
  readonly at: string;
  readonly entries: readonly LogEntry[];
}

/** The first line of a file of events. */
interface Heading {
  readonly format: 1;
  /** The etcd that its revisions are of. */
  readonly clusterID: string;
  readonly since: number;
  readonly at: string;
}

/** Any other line: what was appended at a time, and up to which revision that is all. */
interface Addition {
  readonly to: number;
  readonly at: string;
  readonly entries: readonly LogEntry[];
}

/** A line of what is appended. It is read whole or not at all. */
export function additionLine(to: number, at: string, entries: readonly LogEntry[]): string {
  return lineOf({ to, at, entries } satisfies Addition);
}

/**
 * A whole file, line by line. Where that would have more than so many bytes the oldest events are left out.
 *
 * @param mostBytes of UTF-16 code units, which for these texts are bytes
 */
export function fileLines(kept: KeptEvents, clusterID: string, mostBytes: number): readonly string[] {
  const lines: string[] = [additionLine(kept.revision, kept.at, [])];
  let { since } = kept;
  let bytes = 0;
  let end = kept.entries.length;
  while (end > 0) {
    const revision = kept.entries[end - 1]?.revision ?? 0;
    let start = end - 1;
    while (start > 0 && kept.entries[start - 1]?.revision === revision) start--;
    const entries = kept.entries.slice(start, end);
    const line = additionLine(revision, entries.at(-1)?.time ?? kept.at, entries);
    bytes += line.length;
    if (bytes > mostBytes) {
      since = revision;
      break;
    }
    lines.push(line);
    end = start;
  }
  lines.push(lineOf({ format: 1, clusterID, since, at: kept.at } satisfies Heading));
  return lines.reverse();
}

/**
 * Reads a file of events up to the first line that can't be read: a line that was being written when the machine lost
 * power. Null: nothing of it can be used.
 */
export function readEventFile(text: string): (KeptEvents & { readonly clusterID: string }) | null {
  const [first = "", ...lines] = text.split("\n");
  const heading = parsed(first) as Partial<Heading> | null;
  if (heading?.format !== 1 || typeof heading.clusterID !== "string") return null;
  if (!Number.isSafeInteger(heading.since) || typeof heading.at !== "string") return null;
  const { clusterID, since = 0 } = heading;
  let { at } = heading;
  let revision = since;
  const entries: LogEntry[] = [];
  for (const line of lines) {
    const addition = parsed(line);
    if (!isAddition(addition) || addition.to < revision) break;
    for (const entry of addition.entries) entries.push(entry);
    revision = addition.to;
    at = addition.at;
  }
  return { clusterID, since, revision, at, entries };
}

function isAddition(value: unknown): value is Addition {
  const { to, at, entries } = (value ?? {}) as Partial<Addition>;
  return Number.isSafeInteger(to) && typeof at === "string" && Array.isArray(entries) && entries.every(isEntry);
}

function isEntry(value: unknown): boolean {
  const { kind, revision, time } = (value ?? {}) as Partial<LogEntry>;
  return typeof kind === "string" && Number.isSafeInteger(revision) && typeof time === "string";
}

function lineOf(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

import type { JournalQuestion } from "@fleet/link";

/** What the API shows of an entry; journalctl adds cursor, times and boot. */
const SHOWN_FIELDS = [
  ...["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "_COMM", "_PID", "SYSLOG_PID"],
  ...["_SYSTEMD_UNIT", "UNIT", "COREDUMP_UNIT", "OBJECT_SYSTEMD_UNIT"],
  ...["_SYSTEMD_USER_UNIT", "USER_UNIT", "COREDUMP_USER_UNIT", "OBJECT_SYSTEMD_USER_UNIT"],
];

/** Where the journal of arrived units begins. */
export interface JournalStart {
  /** When fleet loaded the first of the units that have arrived on this machine, in milliseconds; null: none has. */
  readonly arrivedMs: number | null;
  /** Whether fleet's units are those of a user's own systemd. */
  readonly isUser: boolean;
}

/**
 * What journalctl is called with. Each value is an argument of its own and stands behind its option, so that no value is
 * taken for an option.
 */
export function journalArguments(question: JournalQuestion, { arrivedMs, isUser }: JournalStart): readonly string[] {
  const { units, lines, since, until, priority, grep, follow = false, after, allFields = false } = question;
  const names = [...new Set([...units, ...(question.arrived ?? [])])];
  const from = startOf(after, arrivedMs);
  return [
    ...["--output=json", "--all", "--quiet", "--no-pager"],
    ...(allFields ? [] : [`--output-fields=${SHOWN_FIELDS.join(",")}`]),
    ...(from === null && since !== undefined ? [`--since=${since}`] : []),
    ...(from === null ? [] : [from]),
    ...(until === undefined ? [] : [`--until=${until}`]),
    ...(priority === undefined ? [] : [`--priority=${priority}`]),
    ...(grep === undefined ? [] : [`--grep=${grep}`]),
    `--lines=${from === null && lines !== undefined ? lines : "all"}`,
    ...(follow ? ["--follow"] : []),
    ...names.map((name) => (isUser ? `--user-unit=${name}` : `--unit=${name}`)),
  ];
}

/** Whether journalctl prints the newest entry first: it searches backwards then, and does not say so. */
export function isNewestFirst({ lines, grep, follow, after, arrived }: JournalQuestion): boolean {
  return (
    grep !== undefined &&
    lines !== undefined &&
    follow !== true &&
    after === undefined &&
    (arrived === undefined || arrived.length === 0)
  );
}

/** The earlier of a cursor and a time, as an option; null: there is neither. */
function startOf(after: string | undefined, arrivedMs: number | null): string | null {
  const cursorMs = after === undefined ? null : cursorTimeMs(after);
  const isCursorFirst = arrivedMs === null || (cursorMs !== null && cursorMs <= arrivedMs);
  if (after !== undefined && isCursorFirst) return `--after-cursor=${after}`;
  return arrivedMs === null ? null : `--since=@${(arrivedMs / 1000).toFixed(3)}`;
}

/** The time in a cursor, by its machine's clock; null: it has none. */
function cursorTimeMs(cursor: string): number | null {
  const found = /(?:^|;)t=([0-9a-f]{1,16})(?:;|$)/.exec(cursor)?.[1];
  return found === undefined ? null : Number.parseInt(found, 16) / 1000;
}

import type { JournalQuery } from "@fleet/client";
import { type FlagSpec, repeated } from "../command.ts";
import { CommandError } from "../errors.ts";

/** Formats that fleetctl makes itself of what machines send. */
export const OWN_FORMATS = [
  ...["short", "short-full", "short-iso", "short-iso-precise", "short-precise", "short-unix"],
  ...["cat", "json", "json-pretty", "export"],
] as const;

/** Formats that journalctl has had since systemd 236; newer ones are taken too. Those that are not our own need SSH. */
const JOURNALCTL_FORMATS: readonly string[] = [
  ...OWN_FORMATS,
  ...["short-monotonic", "short-delta", "verbose", "json-sse", "json-seq", "with-unit"],
];

const PRIORITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;
const DEFAULT_LINES = "10";

/** What a user wants to read of journals, and how. */
export interface JournalRequest extends Pick<JournalQuery, "lines" | "since" | "until" | "priority" | "grep"> {
  readonly isFollowed: boolean;
  /** A format's name, as journalctl has it. */
  readonly format: string;
  /** Whether each line begins with its unit; null: where lines of several units or machines come. */
  readonly hasPrefix: boolean | null;
  /** As typed; empty: all. */
  readonly machines: readonly string[];
  /** True: over SSH, whatever the server can do. */
  readonly isSsh: boolean;
  readonly hasSudo: boolean;
  readonly sshPort: string | undefined;
}

/** Flags of the command. */
export const JOURNAL_FLAGS: readonly FlagSpec[] = [
  { flags: "-n, --lines <n>", description: "Number of latest lines, or all (default 10; all with --since)" },
  { flags: "-f, --follow", description: "Keep printing lines as they come" },
  { flags: "--since <time>", description: "Only lines of this time and later, as journalctl takes it: -1h, yesterday" },
  { flags: "--until <time>", description: "Only lines of this time and before" },
  {
    flags: "-p, --priority <level>",
    description: "Only lines of this priority or more severe ones, or a range: err, 0..4",
    values: PRIORITIES,
  },
  { flags: "-g, --grep <pattern>", description: "Only lines whose message matches this expression (PCRE2)" },
  {
    flags: "-o, --output <format>",
    description: "Format, as journalctl takes it",
    default: "short",
    values: JOURNALCTL_FORMATS,
  },
  { flags: "--prefix", description: "Prefix each line with its unit (default for several units or machines)" },
  { flags: "--no-prefix", description: "Print no prefix" },
  { flags: "--machine <machine>", description: "Only of this machine", isRepeated: true },
  { flags: "--ssh", description: "Run journalctl over SSH even if the API can ask the machines" },
  { flags: "--sudo", description: "Over SSH: run journalctl with sudo" },
  { flags: "--ssh-port <port>", description: "Over SSH: port of the machines' SSH servers (default 22)" },
];

/**
 * Reads JOURNAL_FLAGS.
 *
 * @throws CommandError with what was expected
 */
export function readJournalRequest(flags: Readonly<Record<string, unknown>>): JournalRequest {
  const text = (name: string): string | undefined => (flags[name] === undefined ? undefined : String(flags[name]));
  const [since, until, grep] = [text("since"), text("until"), text("grep")];
  const format = text("output") ?? "short";
  if (!/^[a-z][a-z-]*$/.test(format))
    throw new CommandError(`invalid --output ${JSON.stringify(format)}: expected a format of journalctl`);
  for (const [flag, value] of Object.entries({ since, until }))
    if (value !== undefined && !/^[\w@:+., -]+$/.test(value))
      throw new CommandError(
        `invalid --${flag} ${JSON.stringify(value)}: expected a time as journalctl takes it, as -1h or 2026-01-31 12:00`,
      );
  const priority = text("priority");
  const hasPrefix = typeof flags.prefix === "boolean" ? flags.prefix : null;
  if (hasPrefix === true && isForPrograms(format))
    throw new CommandError(`--prefix does not go with --output ${format}: its output is for programs`);
  return {
    lines: readLines(text("lines") ?? (since === undefined ? DEFAULT_LINES : "all")),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(grep === undefined ? {} : { grep }),
    ...(priority === undefined ? {} : { priority: readPriority(priority) }),
    isFollowed: flags.follow === true,
    format,
    hasPrefix,
    machines: repeated(flags.machine),
    isSsh: flags.ssh === true,
    hasSudo: flags.sudo === true,
    sshPort: text("sshPort"),
  };
}

/** Whether a format is read by other programs: its lines have every field, and no prefix. */
export function isForPrograms(format: string): boolean {
  return format === "export" || format.startsWith("json");
}

/** Whether journalctl prints the newest entry first: with a number of lines it searches backwards, without saying so. */
export function isNewestFirst({ grep, lines, isFollowed }: JournalRequest): boolean {
  return grep !== undefined && typeof lines === "number" && !isFollowed;
}

function readLines(text: string): number | "all" {
  if (text === "all") return text;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CommandError(`invalid --lines ${JSON.stringify(text)}: expected a number or all`);
}

function readPriority(text: string): string {
  const level = `(?:[0-7]|${PRIORITIES.join("|")})`;
  if (new RegExp(`^${level}(?:\\.\\.${level})?$`).test(text)) return text;
  throw new CommandError(
    `invalid --priority ${JSON.stringify(text)}: expected a level from 0 to 7, one of ${PRIORITIES.join(", ")}, or a range as 0..4`,
  );
}

/** The arguments of journalctl for a request. */
export function journalctlArguments(
  units: readonly string[],
  {
    lines,
    since,
    until,
    priority,
    grep,
    format,
    isFollowed,
  }: Pick<JournalRequest, "lines" | "since" | "until" | "priority" | "grep" | "format" | "isFollowed">,
): readonly string[] {
  const optional = Object.entries({ since, until, priority, grep }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}=${value}`],
  );
  return [
    ...units.map((unit) => `--unit=${unit}`),
    ...["--no-pager", "-n", String(lines), `--output=${format}`],
    ...optional,
    ...(isFollowed ? ["-f"] : []),
  ];
}

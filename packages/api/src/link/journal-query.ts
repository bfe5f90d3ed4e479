import { isGlob } from "@fleet/domain/unit";
import { HttpError } from "../http/errors.ts";

/** What a request asks of the journal. */
export interface JournalQuery {
  /** Names or globs. */
  readonly units: readonly string[];
  /** IDs; empty: all machines. */
  readonly machines: ReadonlySet<string>;
  /** How many of the latest entries, over all machines; null: all. */
  readonly lines: number | null;
  /** As journalctl takes them, as are `until`, `priority` and `grep`. */
  readonly filters: {
    readonly since?: string;
    readonly until?: string;
    readonly priority?: string;
    readonly grep?: string;
  };
  readonly follow: boolean;
  /** Cursors by machine: nothing up to them is wanted. */
  readonly after: ReadonlyMap<string, string>;
  readonly allFields: boolean;
}

type Query = Readonly<Record<string, unknown>>;

const PARAMETERS = [...["unit", "machine", "lines", "since", "until", "priority", "grep", "follow", "after", "fields"]];
const MOST_VALUES = 256;
/** Of what is given for each machine there may be as many as a cluster has. */
const MOST_MACHINES = 10_000;
/** Most entries of the past that a number can ask for. */
export const MOST_LINES = 10_000;
const DEFAULT_LINES = 10;
const MOST_TEXT = 1_024;
const LEVEL = "(?:[0-7]|emerg|alert|crit|err|warning|notice|info|debug)";
const PRIORITY = new RegExp(`^${LEVEL}(?:\\.\\.${LEVEL})?$`);

/** @throws HttpError 400 */
export function readJournalQuery(query: Query): JournalQuery {
  const unknown = Object.keys(query).find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) throw invalid(unknown, "parameter", `expected ${PARAMETERS.join(", ")}`);
  const units = values(query, "unit");
  if (units.length === 0) throw new HttpError(400, "no unit is given: expected unit=NAME, a name or a glob");
  const bad = units.find((unit) => !isGlob(unit));
  if (bad !== undefined) throw invalid(bad, "unit", "it is not a valid glob");
  const filters = {
    ...text(query, "since"),
    ...text(query, "until"),
    ...text(query, "grep"),
    ...text(query, "priority"),
  };
  if (filters.priority !== undefined && !PRIORITY.test(filters.priority))
    throw invalid(filters.priority, "priority", "expected a level, 0 to 7 or emerg to debug, or a range as in 0..3");
  const after = readAfter(values(query, "after", MOST_MACHINES));
  return {
    units,
    machines: new Set(values(query, "machine", MOST_MACHINES)),
    lines: readLines(query, filters.since !== undefined),
    filters,
    follow: choice(query, "follow", ["true", "false"]) === "true",
    after,
    allFields: choice(query, "fields", ["all"]) === "all",
  };
}

/** The same from a request's body, in which numbers and truth values are none of text. */
export function queryInBody(body: unknown): Query {
  const members = Object.entries(body as Readonly<Record<string, unknown>>);
  return Object.fromEntries(members.map(([name, value]) => [name, Array.isArray(value) ? value : String(value)]));
}

/** How many of the latest entries; null: all, as also where a time is given and no number. */
export function readLines(query: Query, isTimeGiven: boolean, defaultLines = DEFAULT_LINES): number | null {
  const [given] = values(query, "lines");
  if (given === undefined) return isTimeGiven ? null : defaultLines;
  if (given === "all") return null;
  if (!/^\d{1,5}$/.test(given) || Number(given) > MOST_LINES)
    throw invalid(given, "lines", `expected a number up to ${MOST_LINES}, or all`);
  return Number(given);
}

function readAfter(given: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    given.map((value) => {
      const colon = value.indexOf(":");
      if (colon < 1 || colon === value.length - 1) throw invalid(value, "after", "expected <machine ID>:<cursor>");
      return [value.slice(0, colon), value.slice(colon + 1)];
    }),
  );
}

/** The values of a parameter that may be given several times. */
export function values(query: Query, name: string, most = MOST_VALUES): readonly string[] {
  const value = query[name];
  const list = (Array.isArray(value) ? value : [value]).filter(
    (entry): entry is string => typeof entry === "string" && entry !== "",
  );
  if (list.length > most)
    throw new HttpError(400, `too many values of ${name}: ${list.length}, and at most ${most} are accepted`);
  return list;
}

function text<Name extends string>(query: Query, name: Name): { readonly [N in Name]?: string } {
  const [value] = values(query, name);
  if (value === undefined) return {};
  if (value.length > MOST_TEXT || /\p{Cc}/u.test(value))
    throw invalid(value.slice(0, 50), name, `expected at most ${MOST_TEXT} characters, and no control characters`);
  return { [name]: value } as { readonly [N in Name]?: string };
}

function choice(query: Query, name: string, known: readonly string[]): string | null {
  const [value] = values(query, name);
  if (value !== undefined && !known.includes(value)) throw invalid(value, name, `expected ${known.join(" or ")}`);
  return value ?? null;
}

function invalid(value: string, name: string, expected: string): HttpError {
  return new HttpError(400, `invalid ${name} ${JSON.stringify(value)}: ${expected}`);
}

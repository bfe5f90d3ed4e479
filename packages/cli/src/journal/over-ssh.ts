import type { JournalEntry, JournalFields, JournalItem } from "@fleet/client";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { linesOn } from "../ssh/run-on-machine.ts";
import { hostOf } from "./entry-text.ts";
import { mergeAsTheyCome, mergeByTime } from "./merge.ts";
import { type JournalRequest, journalctlArguments } from "./request.ts";
import type { MachineUnits } from "./units.ts";

/** The journals of several machines, each read by journalctl there: the past in order, then what comes. */
export async function* journalOverSsh(
  context: Context,
  machines: readonly MachineUnits[],
  request: JournalRequest,
): AsyncGenerator<readonly JournalItem[]> {
  const sources = machines.map((on) => new Source(context, on, request));
  const past = mergeByTime(sources.map((source) => source.past()));
  if (request.lines === "all") for await (const entry of past) yield [{ kind: "entry", entry }];
  else {
    const entries: JournalEntry[] = [];
    for await (const entry of past) entries.push(entry);
    yield entries.slice(request.lines === undefined ? 0 : Math.max(0, entries.length - request.lines)).map(itemOf);
  }
  yield sources.flatMap((source) => source.takeFailure());
  if (!request.isFollowed) return;
  for await (const entry of mergeAsTheyCome(sources.map((source) => source.coming()))) yield [itemOf(entry)];
  yield sources.flatMap((source) => source.takeFailure());
}

function itemOf(entry: JournalEntry): JournalItem {
  return { kind: "entry", entry };
}

/** The journal of one machine. */
class Source {
  readonly #context: Context;
  readonly #on: MachineUnits;
  readonly #request: JournalRequest;
  #cursor: string | null = null;
  #failure: string | null = null;
  #hasFailed = false;

  constructor(context: Context, on: MachineUnits, request: JournalRequest) {
    this.#context = context;
    this.#on = on;
    this.#request = request;
  }

  past(): AsyncGenerator<JournalEntry> {
    return this.#read({ ...this.#request, isFollowed: false }, []);
  }

  /** What comes after the past. */
  coming(): AsyncGenerator<JournalEntry> {
    if (this.#hasFailed) return nothing();
    // Where the past was empty, or was not asked for, there is no entry to go on after.
    const lines = this.#cursor === null && this.#request.lines === 0 ? 0 : "all";
    const after = this.#cursor === null ? [] : [`--after-cursor=${this.#cursor}`];
    return this.#read({ ...this.#request, lines }, after);
  }

  /** Why the machine gave nothing more, as a note, once. */
  takeFailure(): readonly JournalItem[] {
    if (this.#failure === null) return [];
    const { machine } = this.#on;
    const text = `${hostOf({ machineID: machine.id, ...named(machine.hostname) })}: ${this.#failure}`;
    this.#failure = null;
    return [{ kind: "note", note: { kind: "machine-error", machineID: machine.id, text } }];
  }

  async *#read(request: JournalRequest, more: readonly string[]): AsyncGenerator<JournalEntry> {
    const { machine, units } = this.#on;
    const words = ["journalctl", ...journalctlArguments(units, { ...request, format: "json" }), ...more];
    if (request.hasSudo) words.unshift("sudo");
    try {
      for await (const line of linesOn(this.#context, machine, words, request.sshPort, this.#context.signal)) {
        const entry = entryOf(line, this.#on);
        if (entry === null) continue;
        this.#cursor = entry.cursor;
        yield entry;
      }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#failure = error.message;
      this.#hasFailed = true;
    }
  }
}

async function* nothing(): AsyncGenerator<never> {}

/** Fields that say which unit an entry is about, the first that names one of ours. */
const UNIT_FIELDS = ["UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT", "_SYSTEMD_UNIT"];

/**
 * A line of `journalctl -o json`.
 *
 * @returns null where it is none
 */
export function entryOf(line: string, { machine, units }: MachineUnits): JournalEntry | null {
  const fields = fieldsIn(line);
  const micros = fields?.__REALTIME_TIMESTAMP;
  if (fields === null || typeof micros !== "string" || !/^\d{7,}$/.test(micros)) return null;
  const named = UNIT_FIELDS.map((name) => fields[name]).find(
    (unit) => typeof unit === "string" && units.includes(unit),
  );
  const text = (name: string): string | undefined => {
    const value = fields[name];
    if (typeof value === "string") return value;
    return Array.isArray(value) ? Buffer.from(value.map(Number)).toString("utf8") : undefined;
  };
  const [identifier, pid, priority] = [text("SYSLOG_IDENTIFIER") ?? text("_COMM"), text("_PID"), text("PRIORITY")];
  const hostname = machine.hostname ?? text("_HOSTNAME");
  return {
    unit: typeof named === "string" ? named : (units[0] ?? ""),
    machineID: machine.id,
    cursor: text("__CURSOR") ?? "",
    timestamp: new Date(Number(micros.slice(0, -3))).toISOString().replace("Z", `${micros.slice(-3)}Z`),
    message: text("MESSAGE") ?? "",
    ...(hostname === undefined ? {} : { hostname }),
    ...(identifier === undefined ? {} : { identifier }),
    ...(pid === undefined ? {} : { pid: Number(pid) }),
    ...(priority === undefined ? {} : { priority: Number(priority) }),
    fields,
  };
}

function fieldsIn(line: string): JournalFields | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as JournalFields) : null;
  } catch {
    return null;
  }
}

function named(hostname: string | null): { readonly hostname?: string } {
  return hostname === null ? {} : { hostname };
}

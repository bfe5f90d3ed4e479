import type { JournalItem } from "@fleet/client";
import { mergeByTime, Position, readEntry, type TimedEntry } from "@fleet/client/journal";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { mergeAsTheyCome } from "../merge-as-they-come.ts";
import { linesOn } from "../ssh/run-on-machine.ts";
import { hostOf } from "./entry-text.ts";
import { isForPrograms, isNewestFirst, type JournalRequest, journalctlArguments } from "./request.ts";
import type { MachineUnits } from "./units.ts";

type Entries = AsyncGenerator<readonly TimedEntry[]>;

/** The journals of several machines, each read by journalctl there: the past in order, then what comes. */
export async function* journalOverSsh(
  context: Context,
  machines: readonly MachineUnits[],
  request: JournalRequest,
): AsyncGenerator<readonly JournalItem[]> {
  const sources = machines.map((on) => new Source(context, on, request));
  const past = mergeByTime(sources.map((source) => source.past()));
  if (request.lines === "all") for await (const entries of past) yield entries.map(itemOf);
  else {
    const kept: TimedEntry[] = [];
    for await (const entries of past) kept.push(...entries);
    yield kept.slice(request.lines === undefined ? 0 : Math.max(0, kept.length - request.lines)).map(itemOf);
  }
  yield sources.flatMap((source) => source.takeFailure());
  if (!request.isFollowed) return;
  for await (const entries of mergeAsTheyCome(sources.map((source) => source.coming()))) yield entries.map(itemOf);
  yield sources.flatMap((source) => source.takeFailure());
}

function itemOf({ entry }: TimedEntry): JournalItem {
  return { kind: "entry", entry };
}

/** The journal of one machine. */
class Source {
  readonly #context: Context;
  readonly #on: MachineUnits;
  readonly #request: JournalRequest;
  readonly #position = new Position(null);
  #failure: string | null = null;
  #hasFailed = false;

  constructor(context: Context, on: MachineUnits, request: JournalRequest) {
    this.#context = context;
    this.#on = on;
    this.#request = request;
  }

  async *past(): Entries {
    const request = { ...this.#request, isFollowed: false };
    if (!isNewestFirst(request)) return yield* this.#read(request, []);
    const newestFirst: TimedEntry[] = [];
    for await (const entries of this.#read(request, [])) newestFirst.push(...entries);
    yield newestFirst.reverse();
  }

  /** What comes after the past. */
  coming(): Entries {
    if (this.#hasFailed) return nothing();
    const { read } = this.#position;
    if (read !== null) {
      // journalctl takes one beginning only.
      const { since: _, ...rest } = this.#request;
      return this.#read({ ...rest, lines: "all" }, [`--after-cursor=${read}`]);
    }
    // Where the past was empty, or was not asked for, there is no entry to go on after.
    return this.#read({ ...this.#request, lines: this.#request.lines === 0 ? 0 : "all" }, []);
  }

  /** Why the machine gave nothing more, as a note, once. */
  takeFailure(): readonly JournalItem[] {
    if (this.#failure === null) return [];
    const { id: machineID, hostname } = this.#on.machine;
    const text = `${hostOf({ machineID, ...(hostname === null ? {} : { hostname }) })}: ${this.#failure}`;
    this.#failure = null;
    return [{ kind: "note", note: { kind: "machine-error", machineID, text } }];
  }

  async *#read(request: JournalRequest, more: readonly string[]): Entries {
    const { machine, units } = this.#on;
    const words = ["journalctl", ...journalctlArguments(units, { ...request, format: "json" }), ...more];
    if (request.hasSudo) words.unshift("sudo");
    const source = {
      machineID: machine.id,
      hostname: machine.hostname ?? undefined,
      units: new Set(units),
      allFields: isForPrograms(request.format),
    };
    try {
      for await (const line of linesOn(this.#context, machine, words, request, this.#context.signal)) {
        const timed = readEntry(line, source);
        if (timed === null) continue;
        this.#position.take(timed.entry);
        yield [timed];
      }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#failure = error.message;
      this.#hasFailed = true;
    }
  }
}

async function* nothing(): AsyncGenerator<never> {}

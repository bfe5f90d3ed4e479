import { setTimeout as sleep } from "node:timers/promises";
import { mergeByTime, Position, type TimedEntry } from "@fleet/client/journal";
import { type ClusterState, machineName } from "@fleet/domain/cluster";
import { type JournalQuestion, LinkError } from "@fleet/link";
import { FollowedMachine } from "./followed-machine.ts";
import { FollowedUnit } from "./followed-unit.ts";
import type { JournalQuery } from "./journal-query.ts";
import type { JournalReader } from "./journal-reader.ts";
import { type Asker, machineJournal } from "./machine-journal.ts";
import { selectUnits } from "./selection.ts";
import { machinesOf } from "./unit-phase.ts";

/** What one request for the journal is answered from. */
export interface JournalSessionOptions {
  readonly state: ClusterState;
  readonly asker: Asker;
  readonly query: JournalQuery;
  readonly reader: JournalReader;
  /** Aborted: nobody reads any more. */
  readonly signal: AbortSignal;
}

/** Most bytes of messages of the latest entries that are kept until all machines have answered. */
const MOST_KEPT_BYTES = 32 * 1024 * 1024;
/** How long the last lines of a stream may take to be read. */
const DRAIN_MS = 12_000;

/** One stream of the journal: the past of all machines in order, then what comes. */
export class JournalSession {
  readonly #options: JournalSessionOptions;
  readonly #positions = new Map<string, Position>();
  /** Machines that it was said of that they are away. */
  readonly #away = new Set<string>();
  /** Machines whose past could not be read. */
  readonly #unread = new Set<string>();
  readonly #units = new Map<string, FollowedUnit>();
  readonly #machines = new Map<string, FollowedMachine>();
  #news = Promise.withResolvers<void>();

  constructor(options: JournalSessionOptions) {
    this.#options = options;
  }

  /** Has it look at the cluster, which has changed. */
  wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** Sends all of it, and last the end. */
  async run(): Promise<void> {
    const { query, reader, signal } = this.#options;
    await this.#past();
    if (signal.aborted) return;
    const units = query.follow ? await this.#follow() : [];
    if (!signal.aborted) await reader.write([{ end: { units } }]);
  }

  /** What was written so far. */
  async #past(): Promise<void> {
    const { query, reader } = this.#options;
    const journals = [...this.#unitsByMachine()].map(([machineID, units]) => this.#machinePast(machineID, units));
    const kept = query.lines !== null && query.after.size === 0 ? new LatestEntries(query.lines) : null;
    for await (const entries of mergeByTime(journals)) {
      if (kept === null) await reader.write(entries.map(({ entry }) => ({ entry })));
      else kept.take(entries);
    }
    if (kept !== null) await reader.write(kept.entries.map(({ entry }) => ({ entry })));
  }

  async *#machinePast(machineID: string, units: ReadonlySet<string>): AsyncGenerator<readonly TimedEntry[], void> {
    const { asker, query, signal, state } = this.#options;
    if (!state.machines.has(machineID)) return this.#sayAway(machineID, "is away");
    const position = this.#position(machineID);
    const after = position.read;
    const source = this.#source(machineID, units);
    const question: JournalQuestion = {
      units: [...units],
      ...this.#filters(),
      ...(query.lines === null || after !== null ? {} : { lines: query.lines }),
      ...(after === null ? {} : { after }),
    };
    try {
      for await (const entries of machineJournal(asker, source, question, signal))
        yield entries.filter(({ entry }) => position.take(entry));
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      if (error.code === "no-answer" || error.code === "broken")
        await this.#sayAway(machineID, `does not answer (${error.message})`);
      else await this.#sayError(machineID, error.message);
    }
  }

  /** Follows until every unit has ended; returns how. */
  async #follow(): Promise<readonly { readonly unit: string; readonly how: string }[]> {
    const { signal } = this.#options;
    const over = new AbortController();
    const followed = AbortSignal.any([signal, over.signal]);
    const running: Promise<void>[] = [];
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const begin = (machine: FollowedMachine): void =>
      void running.push(machine.run(followed).catch((error: unknown) => failed.reject(error)));
    for (const [machineID, units] of this.#unitsByMachine()) begin(this.#followMachine(machineID, units, []));
    let ends = await this.#look(begin);
    while (!signal.aborted && ends.pauseMs !== "over") {
      await Promise.race([this.#news.promise, this.#pause(ends.pauseMs, signal), failed.promise]);
      ends = await this.#look(begin);
    }
    over.abort();
    await Promise.all(running);
    await Promise.all(
      [...this.#machines.values()].map((machine) =>
        machine.drain(AbortSignal.any([signal, AbortSignal.timeout(DRAIN_MS)])),
      ),
    );
    return ends.ends;
  }

  /** Looks at each unit, says what is new, and follows it where it is. */
  async #look(begin: (machine: FollowedMachine) => void): Promise<{
    readonly ends: readonly { readonly unit: string; readonly how: string }[];
    readonly pauseMs: number | null | "over";
  }> {
    const { state, query, reader } = this.#options;
    for (const name of selectUnits(state, query.units).names)
      if (!this.#units.has(name)) this.#units.set(name, new FollowedUnit(name));
    const now = performance.now();
    const ends: { unit: string; how: string }[] = [];
    let pauseMs: number | null = null;
    for (const unit of this.#units.values()) {
      const { notes, machines, end, againMs } = unit.look(state, now);
      for (const machineID of machines) this.#attend(machineID, unit.name, begin);
      if (end !== null) ends.push({ unit: unit.name, how: end });
      if (againMs !== null) pauseMs = Math.min(pauseMs ?? againMs, againMs);
      await reader.write(notes.map((note) => ({ note })));
    }
    return { ends, pauseMs: ends.length === this.#units.size ? "over" : pauseMs };
  }

  /** Sees to it that a unit is followed on a machine. */
  #attend(machineID: string, unit: string, begin: (machine: FollowedMachine) => void): void {
    const { machines } = this.#options.query;
    if (machines.size > 0 && !machines.has(machineID)) return;
    const machine = this.#machines.get(machineID);
    if (machine === undefined) begin(this.#followMachine(machineID, [], [unit]));
    else machine.add(unit);
  }

  #followMachine(machineID: string, units: Iterable<string>, arrived: readonly string[]): FollowedMachine {
    const { asker, reader, state, query } = this.#options;
    const machine = new FollowedMachine(
      {
        machineID,
        name: () => machineName(state, machineID),
        hostname: () => state.machines.get(machineID)?.hostname,
        asker,
        reader,
        position: this.#position(machineID),
        filters: this.#filters(),
        isThere: () => state.machines.has(machineID),
        untilNews: (signal) => Promise.race([this.#news.promise, this.#pause(null, signal)]),
        isSaidAway: this.#away.has(machineID),
        unreadLines: this.#unread.has(machineID) ? query.lines : null,
      },
      [...units, ...arrived],
      arrived,
    );
    this.#machines.set(machineID, machine);
    return machine;
  }

  async #pause(milliseconds: number | null, signal: AbortSignal): Promise<void> {
    await sleep(milliseconds ?? MOST_PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }

  /** Units by the machines that have them, or had them last. */
  #unitsByMachine(): ReadonlyMap<string, ReadonlySet<string>> {
    const { state, query } = this.#options;
    const byMachine = new Map<string, Set<string>>();
    for (const name of selectUnits(state, query.units).names)
      for (const machineID of machinesOf(state, name)) {
        if (query.machines.size > 0 && !query.machines.has(machineID)) continue;
        const units = byMachine.get(machineID) ?? new Set();
        byMachine.set(machineID, units.add(name));
      }
    return byMachine;
  }

  #filters(): Omit<JournalQuestion, "units"> {
    const { filters, allFields } = this.#options.query;
    return { ...filters, ...(allFields ? { allFields } : {}) };
  }

  #source(machineID: string, units: ReadonlySet<string>) {
    const { state, query } = this.#options;
    const hostname = state.machines.get(machineID)?.hostname;
    return { machineID, hostname, units, allFields: query.allFields };
  }

  #position(machineID: string): Position {
    const known = this.#positions.get(machineID) ?? new Position(this.#options.query.after.get(machineID) ?? null);
    this.#positions.set(machineID, known);
    return known;
  }

  async #sayAway(machineID: string, what: string): Promise<void> {
    this.#away.add(machineID);
    this.#unread.add(machineID);
    const { query, state, reader } = this.#options;
    const later = query.follow ? ": it is taken up again when it is back" : ": its lines are missing";
    const text = `${machineName(state, machineID)} ${what}${later}`;
    await reader.write([{ note: { kind: "machine-away", machineID, text } }]);
  }

  async #sayError(machineID: string, message: string): Promise<void> {
    this.#unread.add(machineID);
    const { state, reader } = this.#options;
    const text = `${machineName(state, machineID)} can't give its journal: ${message}`;
    await reader.write([{ note: { kind: "machine-error", machineID, text } }]);
  }
}

/** The cluster is looked at this often, whatever happens. */
const MOST_PAUSE_MS = 10_000;

/** The latest entries, so many, of what comes in order. */
class LatestEntries {
  readonly #most: number;
  #entries: TimedEntry[] = [];
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get entries(): readonly TimedEntry[] {
    return this.#most === 0 ? [] : this.#entries.slice(-this.#most);
  }

  take(entries: readonly TimedEntry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += sizeOf(entry);
    }
    if (this.#entries.length > 2 * this.#most || this.#bytes > MOST_KEPT_BYTES) this.#trim();
  }

  #trim(): void {
    this.#entries = this.#most === 0 ? [] : this.#entries.slice(-this.#most);
    this.#bytes = this.#entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    while (this.#bytes > MOST_KEPT_BYTES && this.#entries.length > 1) this.#bytes -= sizeOf(this.#entries.shift());
  }
}

function sizeOf(timed: TimedEntry | undefined): number {
  return timed === undefined ? 0 : timed.entry.message.length + 500;
}

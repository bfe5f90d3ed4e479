import { mergeByTime, Position, type TimedEntry } from "@fleet/client/journal";
import { type ClusterState, machineName } from "@fleet/domain/cluster";
import { type JournalQuestion, LinkError } from "@fleet/link";
import { skewText } from "./clock-skew.ts";
import { FollowedMachine } from "./followed-machine.ts";
import { FollowedUnit } from "./followed-unit.ts";
import type { JournalQuery } from "./journal-query.ts";
import type { JournalReader } from "./journal-reader.ts";
import { LatestEntries } from "./latest-entries.ts";
import type { LinkSession, Rests } from "./link-session.ts";
import { type Asker, isAway, machineJournal } from "./machine-journal.ts";
import { News } from "./news.ts";
import { UnitPatterns } from "./selection.ts";
import { machinesOf } from "./unit-phase.ts";

/** What one request for the journal is answered from. */
export interface JournalSessionOptions {
  readonly state: ClusterState;
  readonly asker: Asker;
  readonly query: JournalQuery;
  /** The units that the query stands for now. */
  readonly names: readonly string[];
  readonly reader: JournalReader;
  /** Aborted: nobody reads any more. */
  readonly signal: AbortSignal;
}

/** How long the last lines of a stream may take to be read. */
const DRAIN_MS = 12_000;

/** How a unit has ended. */
interface UnitEnd {
  readonly unit: string;
  readonly how: string;
}

/** One stream of the journal: the past of all machines in order, then what comes. */
export class JournalSession implements LinkSession {
  readonly #options: JournalSessionOptions;
  readonly #positions = new Map<string, Position>();
  /** Machines that it was said of that they are away. */
  readonly #away = new Set<string>();
  /** Machines that it was said of that their clocks are off. */
  readonly #skewed = new Set<string>();
  /** Machines whose past could not be read. */
  readonly #unread = new Set<string>();
  /** Units that are followed. */
  readonly #units = new Map<string, FollowedUnit>();
  readonly #machines = new Map<string, FollowedMachine>();
  readonly #patterns: UnitPatterns;
  readonly #news = new News();
  /** Units that have changed since they were looked at. */
  #changed = new Set<string>();
  /** What a machine could not be followed for, which nobody had foreseen. */
  #failure: { readonly error: unknown } | null = null;

  constructor(options: JournalSessionOptions) {
    this.#options = options;
    this.#patterns = new UnitPatterns(options.query.units);
    for (const name of options.names) this.#units.set(name, new FollowedUnit(name));
  }

  isAbout(name: string): boolean {
    if (!this.#options.query.follow) return false;
    return this.#units.has(name) || this.#patterns.select(this.#options.state, name);
  }

  wake(changed: Iterable<string>, rests: Rests = new Map()): void {
    for (const name of changed) {
      this.#changed.add(name);
      this.#units.get(name)?.rested(rests.get(name) ?? []);
    }
    this.#news.tell();
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
    if (kept === null) return;
    const { entries, isShort } = kept;
    if (isShort) {
      const text = `of the entries before these, which were asked for too, this API can't hold more: ask for a time, or for fewer fields`;
      await reader.write([{ note: { kind: "left-out", text } }]);
    }
    await reader.write(entries.map(({ entry }) => ({ entry })));
  }

  async *#machinePast(machineID: string, units: ReadonlySet<string>): AsyncGenerator<readonly TimedEntry[], void> {
    const { asker, query, signal, state } = this.#options;
    if (!state.machines.has(machineID)) return this.#sayAway(machineID, "is away");
    const position = this.#position(machineID);
    const after = position.read;
    const source = this.#source(machineID, units);
    const onSkew = (skewMs: number): Promise<void> => this.#saySkew(machineID, skewMs);
    const question: JournalQuestion = {
      units: [...units],
      ...this.#filters(),
      ...(query.lines === null || after !== null ? {} : { lines: query.lines }),
      ...(after === null ? {} : { after }),
    };
    try {
      for await (const entries of machineJournal(asker, { source, question, onSkew }, signal))
        yield entries.filter(({ entry }) => position.take(entry));
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      if (isAway(error)) await this.#sayAway(machineID, `does not answer (${error.message})`);
      else await this.#sayError(machineID, error.message);
    }
  }

  /** Follows until every unit has ended; returns how. */
  async #follow(): Promise<readonly UnitEnd[]> {
    const { signal } = this.#options;
    const over = new AbortController();
    const followed = AbortSignal.any([signal, over.signal]);
    const running: Promise<void>[] = [];
    const begin = (machine: FollowedMachine): void =>
      void running.push(machine.run(followed).catch((error: unknown) => this.#fail(error)));
    try {
      for (const [machineID, units] of this.#unitsByMachine()) begin(this.#followMachine(machineID, units, []));
      await this.#look(this.#units.keys(), begin);
      while (!signal.aborted && this.#failure === null && !this.#isOver()) {
        if (this.#changed.size === 0) await this.#news.next(signal, this.#untilDue());
        await this.#look(this.#toLookAt(), begin);
      }
    } finally {
      over.abort();
      await Promise.all(running);
    }
    if (this.#failure !== null) throw this.#failure.error;
    await Promise.all(
      [...this.#machines.values()].map((machine) =>
        machine.drain(AbortSignal.any([signal, AbortSignal.timeout(DRAIN_MS)])),
      ),
    );
    return [...this.#units.values()].flatMap(({ name, end }) => (end === null ? [] : [{ unit: name, how: end }]));
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#news.tell();
  }

  #isOver(): boolean {
    return [...this.#units.values()].every(({ end }) => end !== null);
  }

  /** Milliseconds until a unit must be looked at again, whatever happens; null: none must. */
  #untilDue(): number | null {
    const due = [...this.#units.values()].flatMap(({ dueAt }) => dueAt ?? []);
    return due.length === 0 ? null : Math.max(0, Math.min(...due) - performance.now());
  }

  /** Units that have changed, or that are due. */
  #toLookAt(): Iterable<string> {
    const names = this.#changed;
    this.#changed = new Set();
    const now = performance.now();
    for (const { name, dueAt } of this.#units.values()) if (dueAt !== null && dueAt <= now) names.add(name);
    return names;
  }

  /** Looks at units, says what is new, and follows them where they are. */
  async #look(names: Iterable<string>, begin: (machine: FollowedMachine) => void): Promise<void> {
    const { state, reader } = this.#options;
    const now = performance.now();
    for (const name of names) {
      const unit = this.#units.get(name) ?? new FollowedUnit(name);
      this.#units.set(name, unit);
      const { notes, machines } = unit.look(state, now);
      for (const machineID of machines) this.#attend(machineID, name, begin);
      await reader.write(notes.map((note) => ({ note })));
    }
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
        onSkew: (skewMs) => this.#saySkew(machineID, skewMs),
        isThere: () => state.machines.has(machineID),
        untilNews: (signal) => this.#news.next(signal, null),
        isSaidAway: this.#away.has(machineID),
        unreadLines: this.#unread.has(machineID) ? query.lines : null,
      },
      [...units, ...arrived],
      arrived,
    );
    this.#machines.set(machineID, machine);
    return machine;
  }

  /** Units by the machines that have them, or had them last. */
  #unitsByMachine(): ReadonlyMap<string, ReadonlySet<string>> {
    const { state, query } = this.#options;
    const byMachine = new Map<string, Set<string>>();
    for (const name of this.#units.keys())
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

  async #saySkew(machineID: string, skewMs: number): Promise<void> {
    if (this.#skewed.has(machineID)) return;
    this.#skewed.add(machineID);
    const { state, reader } = this.#options;
    const text = `${machineName(state, machineID)}'s clock is ${skewText(skewMs)} this API's: its entries stand where its clock puts them`;
    await reader.write([{ note: { kind: "clock-off", machineID, text } }]);
  }

  async #sayError(machineID: string, message: string): Promise<void> {
    this.#unread.add(machineID);
    const { state, reader } = this.#options;
    const text = `${machineName(state, machineID)} can't give its journal: ${message}`;
    await reader.write([{ note: { kind: "machine-error", machineID, text } }]);
  }
}

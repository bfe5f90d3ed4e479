import { type Etcd, type Keys, RegistryError, type WatchEvent } from "../packages/registry/src/index.ts";
import type { History } from "./history.ts";

/** What of a unit's record the invariants are about. */
interface UnitEntry {
  readonly machineID: string | null;
  readonly movingTo: string | null;
  readonly global: boolean;
}

/** A time, in revisions, during which one engine led. */
export interface Reign {
  readonly id: string;
  readonly from: number;
  to: number;
}

/** Malformed values are put under this name. */
const MALFORMED = "broken.service";

/** Where a unit was scheduled from a revision on. */
export interface Placement {
  readonly revision: number;
  readonly machineID: string | null;
}

/** Why a unit may not be on a machine with this metadata beside these units; null: it may. */
export type Fits = (
  unit: string,
  metadata: Readonly<Record<string, string>>,
  others: readonly string[],
) => string | null;

/**
 * Follows every revision of a cluster's keys, and looks at each whether the schedule agrees with the units
 * (invariants 1 and 5).
 */
export class RegistryWatch {
  readonly #etcd: Etcd;
  readonly #keys: Keys;
  readonly #history: History;
  readonly #units = new Map<string, UnitEntry>();
  readonly #scheduled = new Map<string, Set<string>>();
  readonly #machines = new Map<string, Readonly<Record<string, string>>>();
  readonly #fits: Fits;
  readonly #stopping = new AbortController();
  readonly reigns: Reign[] = [];
  readonly placements = new Map<string, Placement[]>();
  /** Revisions that did nothing but remove unit files which no unit refers to any more. */
  readonly swept = new Set<number>();
  revision = 0;
  #done: Promise<void> = Promise.resolve();

  constructor(etcd: Etcd, keys: Keys, history: History, fits: Fits) {
    this.#etcd = etcd;
    this.#keys = keys;
    this.#history = history;
    this.#fits = fits;
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  /** How many units are scheduled to a machine now. */
  unitsOn(machineID: string): readonly string[] {
    return [...this.#scheduled].filter(([, machines]) => machines.has(machineID)).map(([name]) => name);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { prefix } = this.#keys;
    const range = { start: prefix, end: `${prefix.slice(0, -1)}0` };
    while (!signal.aborted) {
      try {
        await this.#etcd.watch(
          [{ range, from: this.revision + 1 }],
          signal,
          ({ revision, events }) => this.#take(revision, events),
          () => undefined,
        );
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        if (error.code === "compacted") {
          // Nothing can be said of what was compacted away before it was seen: begin anew from what is there.
          const page = await this.#etcd.range(range).catch((failure: unknown) => {
            if (failure instanceof RegistryError) return null;
            throw failure;
          });
          if (page !== null) {
            this.#units.clear();
            this.#scheduled.clear();
            this.#machines.clear();
            const touched = new Set<string>();
            for (const keyValue of page.keyValues)
              this.#apply(keyValue.modRevision, { kind: "put", keyValue }, touched);
            this.revision = page.revision;
            this.#history.append(
              "etcd",
              `${page.revision} read anew after a compaction: ${page.keyValues.length} keys`,
            );
            for (const name of touched) if (name !== MALFORMED) this.#check(page.revision, name);
          }
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  #take(revision: number, events: readonly WatchEvent[]): void {
    const byRevision = Map.groupBy(events, (event) =>
      event.kind === "put" ? event.keyValue.modRevision : event.revision,
    );
    for (const at of [...byRevision.keys()].sort((a, b) => a - b)) {
      if (at <= this.revision) continue;
      const touched = new Set<string>();
      const changes = byRevision.get(at) ?? [];
      for (const event of changes) this.#apply(at, event, touched);
      this.#history.append("etcd", `${at} ${changes.map(said).join("; ")}`);
      const files = `${this.#keys.prefix}unit-files/`;
      if (changes.every((event) => event.kind === "delete" && event.key.startsWith(files))) this.swept.add(at);
      this.revision = at;
      touched.delete(MALFORMED);
      for (const name of touched) this.#check(at, name);
    }
    this.revision = Math.max(this.revision, revision);
  }

  #apply(revision: number, event: WatchEvent, touched: Set<string>): void {
    const key = event.kind === "put" ? event.keyValue.key : event.key;
    const value = event.kind === "put" ? event.keyValue.value : null;
    const [kind = "", first = "", second = ""] = key.slice(this.#keys.prefix.length).split("/");
    if (kind === "units") {
      touched.add(first);
      const record = parse(value);
      if (record === null) this.#units.delete(first);
      else
        this.#units.set(first, {
          machineID: (record.machineID as string | undefined) ?? null,
          movingTo: (record.movingTo as string | undefined) ?? null,
          global: record.global === true,
        });
      const machineID = this.#units.get(first)?.machineID ?? null;
      const known = this.placements.get(first) ?? [];
      if (known.at(-1)?.machineID !== machineID) this.placements.set(first, [...known, { revision, machineID }]);
    } else if (kind === "schedule") {
      touched.add(second);
      const machines = this.#scheduled.get(second) ?? new Set();
      if (value === null) machines.delete(first);
      else machines.add(first);
      this.#scheduled.set(second, machines);
    } else if (kind === "machines") {
      const record = parse(value);
      if (record === null) this.#machines.delete(first);
      else this.#machines.set(first, (record.metadata as Record<string, string> | undefined) ?? {});
    } else if (key === this.#keys.leader()) {
      const last = this.reigns.at(-1);
      if (last !== undefined) last.to = Math.min(last.to, revision);
      const id = parse(value)?.machineID;
      if (typeof id === "string") this.reigns.push({ id, from: revision, to: Number.POSITIVE_INFINITY });
    }
  }

  #check(revision: number, name: string): void {
    const unit = this.#units.get(name);
    const machines = [...(this.#scheduled.get(name) ?? [])].sort();
    if (unit?.global === true) return;
    const wanted = [unit?.machineID, unit?.movingTo].filter((id) => id != null).sort();
    if (JSON.stringify(machines) !== JSON.stringify(wanted)) {
      this.#history.break(
        1,
        `at revision ${revision} ${name} is on [${wanted}] by its record, on [${machines}] by the schedule`,
      );
    }
    for (const machine of machines) {
      const metadata = this.#machines.get(machine);
      const others = this.unitsOn(machine).filter((other) => other !== name);
      // A machine that has just gone is left by its units in the next transaction.
      const problem = metadata === undefined ? null : this.#fits(name, metadata, others);
      if (problem !== null) this.#history.break(5, `at revision ${revision} ${name} is on ${machine}: ${problem}`);
    }
  }
}

/** An event, for the history; of long values the beginning. */
function said(event: WatchEvent): string {
  if (event.kind === "delete") return `del ${event.key}`;
  return `put ${event.keyValue.key} ${event.keyValue.value.slice(0, 200)}`;
}

function parse(value: string | null): Record<string, unknown> | null {
  if (value === null) return null;
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

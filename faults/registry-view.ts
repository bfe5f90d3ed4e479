import type { Keys, WatchEvent } from "@fleet/registry";
import type { Broken } from "./history.ts";

/** What of a unit's record the invariants are about. */
interface UnitEntry {
  readonly hash: string;
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

/** Where a unit was scheduled from one change of a placement on. */
export interface Placement {
  /** Which of all changes of placements that were seen it was, from 1 on: revisions go back where etcd is restored. */
  readonly change: number;
  readonly machineID: string | null;
}

/** Why a unit may not be on a machine with this metadata beside these units; null: it may. */
export type Fits = (
  unit: string,
  metadata: Readonly<Record<string, string>>,
  others: readonly string[],
) => string | null;

/** What a cluster's keys say at the revision of the latest event that it was told, and which invariants that breaks. */
export class RegistryView {
  /** Every time of leading, oldest first; they outlive clear(). */
  readonly reigns: Reign[] = [];
  /** By unit, where it was scheduled over time, oldest first; they outlive clear(). */
  readonly placements = new Map<string, Placement[]>();
  /** How many changes of placements were seen. */
  changes = 0;
  readonly #keys: Keys;
  readonly #fits: Fits;
  readonly #units = new Map<string, UnitEntry>();
  readonly #scheduled = new Map<string, Set<string>>();
  /** Hashes of oneshots that have ended, by `<machineID>/<name>`. */
  readonly #ended = new Map<string, string>();
  readonly #machines = new Map<string, Readonly<Record<string, string>>>();

  constructor(keys: Keys, fits: Fits) {
    this.#keys = keys;
    this.#fits = fits;
  }

  /** Forgets what the keys said, for a whole read that follows. */
  clear(): void {
    this.#units.clear();
    this.#scheduled.clear();
    this.#machines.clear();
    this.#ended.clear();
  }

  /**
   * Whether a deletion that is about to be taken in only sweeps: a text, or the note that a oneshot has ended where the
   * unit, or that version of it, is not any more; or says that an API has asked no machine over the link for a minute.
   */
  isSweep(event: WatchEvent): boolean {
    if (event.kind !== "delete") return false;
    const [kind = "", machineID = "", name = ""] = event.key.slice(this.#keys.prefix.length).split("/");
    if (kind !== "ended") return ["unit-files", "sources", "versions", "apis"].includes(kind);
    const unit = this.#units.get(name);
    const isThere = unit !== undefined && [unit.machineID, unit.movingTo].includes(machineID);
    return !isThere || unit.hash !== this.#ended.get(`${machineID}/${name}`);
  }

  /**
   * Takes in a change.
   *
   * @returns the unit whose record or schedule it is about; null: another key
   */
  apply(revision: number, event: WatchEvent): string | null {
    const { key, value } = event.kind === "put" ? event.keyValue : { key: event.key, value: null };
    const [kind = "", first = "", second = ""] = key.slice(this.#keys.prefix.length).split("/");
    switch (kind) {
      case "units":
        this.#applyUnit(first, parse(value));
        return first;
      case "schedule":
        this.#applyEntry(first, second, value !== null);
        return second;
      case "machines":
        this.#applyMachine(first, parse(value));
        return null;
      case "ended":
        if (value === null) this.#ended.delete(`${first}/${second}`);
        else this.#ended.set(`${first}/${second}`, String(parse(value)?.hash));
        return null;
      default:
        if (key === this.#keys.leader()) this.#applyLeader(revision, parse(value));
        return null;
    }
  }

  /** Whether a unit's schedule is as its record says (invariant 1), and it fits where it is (invariant 5). */
  violations(revision: number, name: string): readonly Broken[] {
    const unit = this.#units.get(name);
    if (unit?.global === true) return [];
    const machines = [...(this.#scheduled.get(name) ?? [])].sort();
    const wanted = [unit?.machineID, unit?.movingTo].filter((id) => id != null).sort();
    const found: Broken[] = [];
    if (JSON.stringify(machines) !== JSON.stringify(wanted)) {
      const text = `at revision ${revision} ${name} is on [${wanted}] by its record, on [${machines}] by the schedule`;
      found.push({ invariant: 1, text });
    }
    for (const machine of machines) {
      const metadata = this.#machines.get(machine);
      const others = this.#unitsOn(machine).filter((other) => other !== name);
      // A machine that has just gone is left by its units in the next transaction.
      const problem = metadata === undefined ? null : this.#fits(name, metadata, others);
      if (problem !== null)
        found.push({ invariant: 5, text: `at revision ${revision} ${name} is on ${machine}: ${problem}` });
    }
    return found;
  }

  #unitsOn(machineID: string): readonly string[] {
    return [...this.#scheduled].filter(([, machines]) => machines.has(machineID)).map(([name]) => name);
  }

  #applyUnit(name: string, record: Record<string, unknown> | null): void {
    const machineID = (record?.machineID as string | undefined) ?? null;
    const movingTo = (record?.movingTo as string | undefined) ?? null;
    if (record === null) this.#units.delete(name);
    else this.#units.set(name, { hash: String(record.hash), machineID, movingTo, global: record.global === true });
    const known = this.placements.get(name) ?? [];
    if (known.at(-1)?.machineID === machineID) return;
    this.placements.set(name, [...known, { change: ++this.changes, machineID }]);
  }

  #applyEntry(machineID: string, name: string, isThere: boolean): void {
    const machines = this.#scheduled.get(name) ?? new Set();
    if (isThere) machines.add(machineID);
    else machines.delete(machineID);
    this.#scheduled.set(name, machines);
  }

  #applyMachine(id: string, record: Record<string, unknown> | null): void {
    if (record === null) this.#machines.delete(id);
    else this.#machines.set(id, (record.metadata as Record<string, string> | undefined) ?? {});
  }

  #applyLeader(revision: number, record: Record<string, unknown> | null): void {
    const last = this.reigns.at(-1);
    if (last !== undefined) last.to = Math.min(last.to, revision);
    const id = record?.machineID;
    if (typeof id === "string") this.reigns.push({ id, from: revision, to: Number.POSITIVE_INFINITY });
  }
}

/** A value's record; null: there is none, or none that is understood. */
function parse(value: string | null): Record<string, unknown> | null {
  if (value === null) return null;
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

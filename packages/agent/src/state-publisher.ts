import { setTimeout as sleep } from "node:timers/promises";
import type { EndedRecord, StateRecord } from "@fleet/domain/cluster";
import type { RunResult, SystemdStates } from "@fleet/domain/unit";
import type { MachineRegistration, StateUpdate } from "@fleet/registry";
import type { Launches } from "./launches.ts";
import { afterTelling, type Flaps, mayTellAt } from "./model/flap-damping.ts";
import type { Systemd } from "./systemd/systemd.ts";
import type { UnitRunner } from "./unit-runner.ts";

const FULL_CHECK_MS = 30_000;
/** Changes of up to so many units are told at once. */
const FEW_UNITS = 4;
const GATHER_MS = 20;
/** In place of a state that the registry may hold. */
const UNKNOWN = "unknown";

/** What a publisher needs. */
export interface StatePublisherOptions {
  /** What runs here, as far as the agent knows. */
  readonly runner: Pick<UnitRunner, "present" | "noticeMissing" | "stateOf"> & {
    readonly launches: Pick<Launches, "isStarting">;
  };
  /** The connection to systemd; null: there is none. */
  readonly systemd: () => Systemd | null;
  /** Called where systemd does not find units that it should. */
  readonly onMissing: () => void;
  /** What the note that a unit has ended is to say; null: there is to be none; undefined: it stays as it is. */
  readonly endedNote: (name: string, state: StateRecord | null) => EndedRecord | null | undefined;
}

/**
 * Publishes what changed, in the order in which it happened: one write is under way at a time, and what changes
 * meanwhile goes with the next one in its newest form.
 */
export class StatePublisher {
  readonly #options: StatePublisherOptions;
  readonly #published = new Map<string, string>();
  /** Hashes of the oneshots that are noted as ended, by name, as far as is known. */
  readonly #ended = new Map<string, string>();
  /** Settled when the last write is over. */
  #writing: Promise<unknown> = Promise.resolve();
  /** Units that had failed, or been restarted, when they were looked at last. */
  readonly #troubled = new Set<string>();
  /** Units whose state may have changed since the last round. */
  readonly #touched = new Set<string>();
  /** How often units have changed, by name. */
  readonly #flaps = new Map<string, Flaps>();
  /** When all units are looked at again at the latest, by performance.now(). */
  #fullLookAt = Number.POSITIVE_INFINITY;
  #registration: MachineRegistration | null = null;

  constructor(options: StatePublisherOptions) {
    this.#options = options;
  }

  /** The state of a unit may have changed. */
  touch(name: string): void {
    this.#touched.add(name);
  }

  /** Any state may have changed. */
  touchAll(): void {
    for (const name of this.#allNames()) this.#touched.add(name);
  }

  /** Publishes what has changed; where nothing has, looks at all units. Returns milliseconds until the next round is due. */
  async round(): Promise<number> {
    const { runner, onMissing } = this.#options;
    const systemd = this.#options.systemd();
    if (systemd === null || this.#registration === null) return FULL_CHECK_MS;
    // One unit's change is told at once. While many change, each goes through several states in a moment: what is told
    // a little later is told once.
    if (this.#touched.size > FEW_UNITS) await sleep(GATHER_MS);
    const names = this.#due();
    if (names.length === 0) return this.#nextDueMs();
    const states = await systemd.states(names.filter((name) => runner.present.has(name)));
    if (runner.noticeMissing(states)) onMissing();
    const runs = await this.#runResults(systemd, states);
    const records = new Map<string, StateRecord | null>();
    for (const name of names) records.set(name, runner.stateOf(name, states.get(name), runs.get(name) ?? null));
    await this.#publish(records);
    return this.#nextDueMs();
  }

  /** Names of the units to look at now; those that flap stay for later. */
  #due(): readonly string[] {
    const now = performance.now();
    if (this.#touched.size === 0 || now >= this.#fullLookAt) {
      this.touchAll();
      this.#fullLookAt = now + FULL_CHECK_MS;
    }
    const names = [...this.#touched].filter((name) => mayTellAt(this.#flaps.get(name), this.#goal(name)) <= now);
    for (const name of names) this.#touched.delete(name);
    return names;
  }

  /** What fleet has made of a unit: what changes with that is no flapping. */
  #goal(name: string): string {
    const unit = this.#options.runner.present.get(name);
    return unit === undefined ? "gone" : `${unit.hash} ${unit.isLaunched} ${unit.isStopped}`;
  }

  /** Milliseconds until a unit that flaps may be told of again, or all are looked at. */
  #nextDueMs(): number {
    const now = performance.now();
    const due = [...this.#touched].map((name) => mayTellAt(this.#flaps.get(name), this.#goal(name)) - now);
    return Math.max(0, Math.ceil(Math.min(FULL_CHECK_MS, ...due)));
  }

  /** How units have run: asked only of those that may have a failure or a restart to tell. */
  async #runResults(
    systemd: Systemd,
    states: ReadonlyMap<string, SystemdStates>,
  ): Promise<ReadonlyMap<string, RunResult>> {
    const { runner } = this.#options;
    const mayTell = (name: string, { active }: SystemdStates): boolean =>
      active === "failed" || this.#troubled.has(name) || (active === "activating" && !runner.launches.isStarting(name));
    const names = [...states].filter(([name, state]) => mayTell(name, state)).map(([name]) => name);
    const runs = names.length === 0 ? new Map<string, RunResult>() : await systemd.runResults(names);
    for (const name of names) {
      if (runs.has(name)) this.#troubled.add(name);
      else this.#troubled.delete(name);
    }
    return runs;
  }

  /**
   * Begins anew under a registration: everything is published again, since what stands there is bound to a lease that
   * may end.
   *
   * @param leftovers names of units that the registry holds states of
   * @param ended hashes of the oneshots that the registry notes as ended here, by name
   */
  begin(
    registration: MachineRegistration,
    leftovers: readonly string[],
    ended: ReadonlyMap<string, string> = new Map(),
  ): void {
    this.#registration = registration;
    this.#fullLookAt = performance.now() + FULL_CHECK_MS;
    this.#published.clear();
    this.#flaps.clear();
    this.#ended.clear();
    for (const [name, hash] of ended) this.#ended.set(name, hash);
    for (const name of leftovers) this.#published.set(name, UNKNOWN);
  }

  /**
   * Takes back the note that a unit has ended, if there may be one. To be called before the unit is started, while it is
   * not launched: no round writes the note then.
   *
   * @throws RegistryError where etcd does not take it
   */
  async takeBackEnded(name: string): Promise<void> {
    if (!this.#ended.has(name)) return;
    await this.#writing; // It may be what writes the note.
    const registration = this.#registration;
    await registration?.takeBackEnded(name);
    if (this.#registration === registration) this.#ended.delete(name);
  }

  /** Names of all units that are here, or of which the registry holds a state by this machine. */
  #allNames(): string[] {
    return [...new Set([...this.#options.runner.present.keys(), ...this.#published.keys()])];
  }

  /** Writes the states that differ from what was published. Nothing is written where none does. */
  async #publish(states: ReadonlyMap<string, StateRecord | null>): Promise<void> {
    const registration = this.#registration;
    if (registration === null) return;
    const updates: StateUpdate[] = [];
    for (const [name, state] of states) {
      const before = this.#published.get(name);
      const after = state === null ? undefined : JSON.stringify(state);
      const ended = this.#endedChange(name, state);
      if (before !== after || ended !== undefined)
        updates.push({ name, state, ...(ended === undefined ? {} : { ended }) });
    }
    if (updates.length === 0) return;
    // A write that is not answered may be carried out later: what stands there is not known until another one is.
    for (const { name, ended } of updates) {
      this.#published.set(name, UNKNOWN);
      if (ended !== undefined) this.#ended.set(name, UNKNOWN);
    }
    const written = registration.publish(updates);
    this.#writing = written.catch(() => undefined);
    await written;
    // Where the machine has entered anew meanwhile, this was written under a lease that is gone.
    if (this.#registration !== registration) return;
    const now = performance.now();
    for (const { name, state, ended } of updates) {
      if (state === null) this.#flaps.delete(name);
      else this.#flaps.set(name, afterTelling(this.#flaps.get(name), this.#goal(name), now));
      if (ended === null) this.#ended.delete(name);
      else if (ended !== undefined) this.#ended.set(name, ended.hash);
      if (state === null) this.#published.delete(name);
      else this.#published.set(name, JSON.stringify(state));
    }
  }

  /** What is to be written about the end of a unit; undefined: nothing. */
  #endedChange(name: string, state: StateRecord | null): EndedRecord | null | undefined {
    const ended = this.#options.endedNote(name, state);
    const isThere = ended === null ? !this.#ended.has(name) : ended?.hash === this.#ended.get(name);
    return isThere ? undefined : ended;
  }
}

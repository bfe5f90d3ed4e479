import type { Metadata } from "@fleet/config";
import {
  type EndedRecord,
  RegistryError,
  type StateRecord,
  type UnitRecord,
  type Versioned,
} from "@fleet/domain/cluster";
import type { Requirements } from "@fleet/domain/unit";
import { backoff } from "@fleet/loop";
import type { Mirror, Registry } from "@fleet/registry";
import type { UnitDirectory } from "./machine/unit-directory.ts";
import type { Membership } from "./membership.ts";
import { mayComeBack } from "./model/come-back.ts";
import { endedNote } from "./model/ended-note.ts";
import { neededHashes, type Wanted, wantedOn } from "./model/wanted.ts";
import type { Systemd } from "./systemd/systemd.ts";
import type { UnitRunner } from "./unit-runner.ts";
import type { UnitTexts } from "./unit-texts.ts";
import type { UnknownUnits } from "./unknown-units.ts";

const FULL_CHECK_MS = 30_000;
const LEAST_PAUSE_MS = 10;
/** How long a machine that has entered, anew or after a crash, waits for the engine to place what ran on it. */
const SETTLE_MS = 5_000;

/** What a reconciler needs. */
export interface ReconcilerOptions {
  readonly machineID: string;
  readonly registry: Registry;
  /** The agent's part of the registry. */
  readonly mirror: Mirror;
  readonly membership: Membership;
  readonly directory: UnitDirectory;
  readonly texts: UnitTexts;
  readonly runner: UnitRunner;
  readonly unknown: UnknownUnits;
  /** The configured metadata of the machine. */
  readonly metadata: () => Metadata;
  /** The connection to systemd; null: there is none. */
  readonly systemd: () => Systemd | null;
}

/** Leads what runs on a machine to what the registry wants there. Acts only on a registry that was read whole. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  #wasEntered = false;
  /** The etcd revision at which the machine last entered the registry. */
  #enteredAt = 0;
  /** Until then the engine may give back what it took off this machine while it was away, by performance.now(). */
  #settlesAt = 0;
  #wantsWatchdog = false;
  /** Whether there was something for the watchdog to do at the last look. */
  #neededWatchdog = false;
  /** Rounds in a row in which etcd has not said what may be stopped. */
  #unanswered = 0;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Whether units of this machine must not outlive its lease. */
  get needsWatchdog(): boolean {
    return this.#wantsWatchdog || this.#options.directory.hasStopsOnPartition;
  }

  /** Takes note that the machine has entered the registry, at an etcd revision. */
  entered(revision: number): void {
    this.#settlesAt = performance.now() + SETTLE_MS;
    this.#enteredAt = revision;
    this.#wasEntered = true;
  }

  /** What the machine is to run, as far as the mirror knows. */
  wanted(): Wanted {
    const { registry, mirror, texts, machineID, metadata } = this.#options;
    const malformed = new Set<string>();
    for (const key of mirror.state.malformed) {
      const parsed = registry.keys.parse(key);
      if (parsed?.kind === "schedule" || parsed?.kind === "global") malformed.add(parsed.name);
    }
    const requirementsOf = (name: string, hash: string): Requirements | null => texts.requirements(name, hash);
    return wantedOn(machineID, metadata(), mirror.state, requirementsOf, malformed);
  }

  /** What the note that a unit has ended is to say, by a state of it; as endedNote() has it. */
  endedNote(name: string, state: StateRecord | null): EndedRecord | null | undefined {
    const { mirror, machineID, texts, runner } = this.#options;
    const entry = mirror.state.schedule.get(machineID)?.get(name);
    const isOneshot = (): boolean => runner.launches.mayHaveEnded(name) && texts.isOneshot(name, state?.hash ?? "");
    return endedNote(state, entry, isOneshot);
  }

  /** Takes steps of every unit towards what is wanted; returns milliseconds until the next round is due. */
  async round(): Promise<number> {
    const { mirror, membership, texts, machineID } = this.#options;
    const systemd = this.#options.systemd();
    // A machine that the registry never took, or refuses for another with the same ID, has no units of its own. One
    // that was taken goes on, also while it is out of touch.
    const mayAct = mirror.isReady && this.#wasEntered && membership.refusal === null;
    if (systemd === null || !mayAct) return FULL_CHECK_MS;
    await texts.fetch(neededHashes(machineID, mirror.state));
    const wanted = this.wanted();
    const isNew = this.#lookForWatchdog(wanted);
    const unknown = await this.#options.unknown.leaveAlone(wanted);
    // The mirror may be reading everything anew by now.
    if (!mirror.isReady) return FULL_CHECK_MS;
    const returning = await this.#mayComeBack(wanted);
    const unclear = new Set([...wanted.unclear, ...unknown, ...(returning ?? this.#notWanted(wanted))]);
    // Units wait for a heart-beat that arms the watchdog: it is not waited for until its turn.
    if (isNew) membership.beat();
    const dueMs = await this.#lead(systemd, { units: wanted.units, unclear });
    // Nothing else would bring the question up again: those units would run on until the next full check.
    if (returning === null || this.#options.unknown.isInDoubt) return Math.min(dueMs, backoff(this.#unanswered++));
    this.#unanswered = 0;
    return dueMs;
  }

  /** The same for a machine on which nothing is wanted any more, whatever the registry says. */
  async clearRound(): Promise<number> {
    const systemd = this.#options.systemd();
    if (systemd === null) return FULL_CHECK_MS;
    return this.#lead(systemd, { units: new Map(), unclear: new Set() });
  }

  async #lead(systemd: Systemd, { units, unclear }: Wanted): Promise<number> {
    const { runner } = this.#options;
    while (await runner.step(systemd, units, unclear)) {
      // The next step of a unit that is done with one: a load leads to a start.
    }
    const now = performance.now();
    const settlesAt = this.#settlesAt > now ? this.#settlesAt : Number.POSITIVE_INFINITY;
    const times = [runner.nextRetryAt, this.#options.unknown.lookAt].filter((at) => at !== null);
    const nextAt = Math.min(settlesAt, ...times);
    return Math.min(FULL_CHECK_MS, Math.max(LEAST_PAUSE_MS, nextAt - now));
  }

  /**
   * Looks whether there is something for the watchdog to do, also where what is wanted can't be told for a moment: it must
   * not stop anything for that.
   *
   * @returns whether there was nothing before
   */
  #lookForWatchdog({ units }: Wanted): boolean {
    const before = this.#neededWatchdog;
    this.#wantsWatchdog = [...units.values()].some(({ stopsOnPartition }) => stopsOnPartition);
    this.#neededWatchdog = this.needsWatchdog;
    return this.#neededWatchdog && !before;
  }

  /**
   * Units of this machine that a lost lease took off it and that nobody else has: the engine is about to place them,
   * maybe here. They are left running until this machine is back, and for a moment after. Null: etcd does not say.
   */
  async #mayComeBack(wanted: Wanted): Promise<readonly string[] | null> {
    const { membership, registry, machineID } = this.#options;
    if (membership.isSure && performance.now() >= this.#settlesAt) return [];
    const names = this.#notWanted(wanted);
    let records: ReadonlyMap<string, Versioned<UnitRecord>>;
    try {
      records = await registry.units(names);
    } catch (error) {
      if (error instanceof RegistryError) return null;
      throw error;
    }
    const machine = { id: machineID, isSure: membership.isSure, enteredAt: this.#enteredAt };
    return names.filter((name) => mayComeBack(records.get(name), machine));
  }

  /** Names of the units that are on this machine and are not wanted there. */
  #notWanted({ units }: Wanted): readonly string[] {
    return [...this.#options.runner.present.keys()].filter((name) => !units.has(name));
  }
}

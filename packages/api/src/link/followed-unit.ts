import type { JournalNote } from "@fleet/client/description";
import { type ClusterState, machineName } from "@fleet/domain/cluster";
import { AT_REST } from "@fleet/domain/unit";
import { scheduledTo } from "@fleet/domain/whereabouts";
import { machinesOf, phaseOf } from "./unit-phase.ts";

/** How long a unit must be down until that is its end: one that is restarted is down for a moment, too. */
export const SETTLE_MS = 2_000;

/** What has happened to a unit since it was last looked at. */
export interface UnitNews {
  readonly notes: readonly JournalNote[];
  /** Machines that have it. */
  readonly machines: ReadonlySet<string>;
}

/** One unit that is followed: what of its changes is news for who reads its journal. Pure but for what it remembers. */
export class FollowedUnit {
  readonly name: string;
  #on: string | null = null;
  #restarts = 0;
  #wasUp = false;
  #isDown = false;
  /** Machines on which it was at rest since the last look. */
  readonly #rests = new Set<string>();
  #downSince: number | null = null;
  #isFirst = true;
  #end: string | null = null;

  constructor(name: string) {
    this.name = name;
  }

  /** How it has ended; null: it goes on. */
  get end(): string | null {
    return this.#end;
  }

  /** When it must be looked at again, whatever happens, on the clock of `look`; null: there is no need. */
  get dueAt(): number | null {
    return this.#downSince === null || this.#end !== null ? null : this.#downSince + SETTLE_MS;
  }

  /** Notes machines on which it was at rest for a moment: by the next look it may be up there again. */
  rested(machines: Iterable<string>): void {
    if (this.#wasUp) for (const machineID of machines) this.#rests.add(machineID);
  }

  /** @param now milliseconds on a clock that is never set */
  look(state: ClusterState, now: number): UnitNews {
    const notes = [...this.#placeNews(state), ...this.#phaseNews(state, now)];
    this.#isFirst = false;
    return { notes, machines: machinesOf(state, this.name) };
  }

  #placeNews(state: ClusterState): readonly JournalNote[] {
    const record = state.units.get(this.name);
    const on = record === undefined ? null : scheduledTo(record.whereabouts);
    if (on === null || on === this.#on) return [];
    const from = this.#on;
    this.#on = on;
    if (from === null) return [];
    const text = `${this.name} moved from ${machineName(state, from)} to ${machineName(state, on)}`;
    return [{ kind: "moved", unit: this.name, machineID: on, text }];
  }

  #phaseNews(state: ClusterState, now: number): readonly JournalNote[] {
    const phase = phaseOf(state, this.name, this.#wasUp);
    const restarts = [...(state.states.get(this.name)?.values() ?? [])].reduce(
      (sum, { run }) => sum + (run?.restarts ?? 0),
      0,
    );
    const isRestarted = restarts > this.#restarts && !this.#isFirst;
    this.#restarts = restarts;
    if (phase.kind === "ended" || phase.kind === "destroyed") {
      this.#isDown = true;
      // What was at rest when its reader came has nothing to settle.
      this.#downSince ??= this.#isFirst ? now - SETTLE_MS : now;
      if (this.#end !== null || now - this.#downSince < SETTLE_MS) return [];
      this.#end = phase.how;
      return [{ kind: phase.kind, unit: this.name, text: `${this.name} ${phase.how}` }];
    }
    const isBack = phase.kind === "up" && (this.#isDown || this.#isUpAfterRest(state));
    if (phase.kind === "up") {
      this.#wasUp = true;
      this.#isDown = false;
    }
    this.#downSince = null;
    this.#end = null;
    if (isBack) return [{ kind: "restarted", unit: this.name, text: `${this.name} was started again` }];
    return isRestarted ? [{ kind: "restarted", unit: this.name, text: `${this.name} was restarted by systemd` }] : [];
  }

  /** Whether it was at rest for a moment on a machine, and is up there. */
  #isUpAfterRest(state: ClusterState): boolean {
    const found = state.states.get(this.name);
    const isUp = [...this.#rests].some((machineID) => {
      const active = found?.get(machineID)?.systemd.active;
      return active !== undefined && !AT_REST.has(active);
    });
    this.#rests.clear();
    return isUp;
  }
}

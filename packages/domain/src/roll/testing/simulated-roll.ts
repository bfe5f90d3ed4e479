import type { StateRecord, UnitRecord } from "../../cluster/records.ts";
import {
  begun,
  isOver,
  NO_MEMORY,
  type RollMemory,
  type RollProgress,
  type RollRecord,
  type RollWrite,
  stepRoll,
  type TextRef,
} from "../index.ts";

/** What a unit does when it is given a version, or is started. */
export type Behaviour = "comes up" | "fails" | "ends" | "crashes once" | "crashes slowly" | "comes up late";

interface Simulated {
  record: UnitRecord;
  state: StateRecord | null;
  /** What its machine does next, and when. */
  readonly coming: { readonly at: number; readonly state: StateRecord }[];
}

const RUNNING = { load: "loaded", active: "active", sub: "running" };
const ACTIVATING = { load: "loaded", active: "activating", sub: "start" };
const FAILED = { load: "loaded", active: "failed", sub: "failed" };
const DEAD = { load: "loaded", active: "inactive", sub: "dead" };

/** A roll of three units from "old" to "new". */
export function rollOf(changes: Partial<RollRecord> & { readonly names?: readonly string[] } = {}): RollRecord {
  const { names = ["a.service", "b.service", "c.service"], ...rest } = changes;
  const kind = rest.kind ?? "replace";
  const [from, to] = ["old", kind === "replace" ? "new" : "old"].map((hash) => ({ hash, source: hash })) as [
    TextRef,
    TextRef,
  ];
  return {
    kind,
    units: names.map((name) => ({ name, from, to })),
    ...{ maxUnavailable: 1, pauseMs: 0, settleMs: 1_000, canary: null, onFailure: "stop" },
    ...{ by: null, message: null, at: "2026-11-26T09:00:00Z" },
    ...rest,
  };
}

/** A cluster in which a roll is carried out, by a clock of its own: each look is 100 ms after the one before. */
export class SimulatedRoll {
  readonly roll: RollRecord;
  readonly units = new Map<string, Simulated>();
  readonly writes: RollWrite[] = [];
  /** Units of which the engine does not know what their machines say. */
  readonly unknown = new Set<string>();
  progress: RollProgress;
  now = 0;
  memory: RollMemory = NO_MEMORY;
  /** The most units that were down at any time. */
  mostDown = 0;
  readonly #behaviour: (name: string, hash: string) => Behaviour;

  constructor(roll: RollRecord, behaviour: (name: string, hash: string) => Behaviour = () => "comes up") {
    this.roll = roll;
    this.progress = begun(roll);
    this.#behaviour = behaviour;
    for (const { name, from } of roll.units) {
      const state = stateOf(from.hash, "launched", RUNNING);
      const record: UnitRecord = {
        ...{ hash: from.hash, desiredState: "launched", global: false },
        ...{ whereabouts: { kind: "placed", on: "m1" }, cause: null },
      };
      this.units.set(name, { record, state, coming: [] });
    }
  }

  /** One look, and what comes of it. */
  step(): void {
    this.now += 100;
    for (const unit of this.units.values()) {
      while (unit.coming[0] !== undefined && unit.coming[0].at <= this.now)
        unit.state = unit.coming.shift()?.state ?? null;
    }
    const view = {
      record: (name: string) => this.units.get(name)?.record ?? null,
      state: (name: string) => (this.unknown.has(name) ? undefined : (this.units.get(name)?.state ?? null)),
    };
    const { progress, memory, writes } = stepRoll(this.roll, this.progress, this.memory, view, this.now);
    this.progress = progress;
    this.memory = memory;
    for (const write of writes) this.#carryOut(write);
    this.mostDown = Math.max(this.mostDown, this.down);
  }

  /** Goes on until the roll is over, or it is so at a look. */
  until(isSo: () => boolean = () => isOver(this.progress), most = 5_000): void {
    for (let count = 0; count < most; count++) {
      if (isSo()) return;
      this.step();
    }
    throw new Error(`after ${most} looks it still is ${JSON.stringify(this.progress)}`);
  }

  /** Changes a unit as a user would. */
  change(name: string, changes: Partial<UnitRecord>): void {
    const unit = this.units.get(name);
    if (unit === undefined) return;
    unit.record = { ...unit.record, ...changes };
    if (changes.desiredState !== undefined) unit.state = stateOf(unit.record.hash, "loaded", DEAD);
    if (changes.hash === undefined) return;
    unit.coming.length = 0;
    unit.state = stateOf(changes.hash, "launched", RUNNING);
  }

  /** Has a unit fail by itself. */
  break(name: string): void {
    this.#turn(name, FAILED);
  }

  /** Has a unit stopped by systemctl on its machine. */
  stopByHand(name: string): void {
    this.#turn(name, DEAD);
  }

  mend(name: string): void {
    this.#turn(name, RUNNING);
  }

  get down(): number {
    return [...this.units.values()].filter(
      ({ record, state }) => state?.hash !== record.hash || state.systemd.active !== "active",
    ).length;
  }

  get hashes(): readonly string[] {
    return [...this.units.values()].map(({ record }) => record.hash);
  }

  #turn(name: string, systemd: StateRecord["systemd"]): void {
    const unit = this.units.get(name);
    if (unit !== undefined) unit.state = stateOf(unit.record.hash, "launched", systemd);
  }

  #carryOut(write: RollWrite): void {
    this.writes.push(write);
    const { name, from, to } = write.unit;
    const unit = this.units.get(name);
    if (unit === undefined) return;
    const hash = write.kind === "restore" ? from.hash : to.hash;
    const desiredState = write.kind === "stop" ? "loaded" : "launched";
    unit.record = { ...unit.record, hash, desiredState };
    unit.coming.length = 0;
    if (write.kind === "stop") unit.coming.push({ at: this.now + 200, state: stateOf(hash, "loaded", DEAD) });
    else unit.coming.push(...this.#startOf(name, hash));
  }

  #startOf(name: string, hash: string): Simulated["coming"] {
    const behaviour = this.#behaviour(name, hash);
    const at = this.now + (behaviour === "comes up late" ? 20_000 : 400);
    const first = { at: this.now + 200, state: stateOf(hash, "launched", ACTIVATING) };
    const up = { at, state: stateOf(hash, "launched", RUNNING) };
    if (behaviour === "fails") return [first, { at, state: stateOf(hash, "launched", FAILED) }];
    if (behaviour === "ends") return [first, { at, state: stateOf(hash, "launched", DEAD) }];
    if (behaviour === "crashes slowly")
      return [
        ...[first, up, { at: at + 500, state: stateOf(hash, "launched", ACTIVATING, 1) }],
        { at: at + 1_500, state: stateOf(hash, "launched", RUNNING, 1) },
      ];
    if (behaviour === "crashes once")
      return [first, up, { at: at + 500, state: stateOf(hash, "launched", RUNNING, 1) }];
    return [first, up];
  }
}

function stateOf(
  hash: string,
  current: StateRecord["current"],
  systemd: StateRecord["systemd"],
  restarts = 0,
): StateRecord {
  const run = { result: "success", exitStatus: null, exitSignal: null, restarts };
  return { hash, current, systemd, error: null, run };
}

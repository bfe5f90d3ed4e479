import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterState, type Compare, type Op, type PlannedChange, planUnitChange } from "@fleet/domain/cluster";
import {
  encodeRollProgress,
  isOver,
  NO_MEMORY,
  type RollMemory,
  type RollProgress,
  type RollRecord,
  type RollView,
  type RollWrite,
  stepRoll,
} from "@fleet/domain/roll";
import { InvalidUnitError, parseUnitFile, UnitFileError } from "@fleet/domain/unit";
import { scheduledTo } from "@fleet/domain/whereabouts";
import { ReconcileLoop, SaidOnce } from "@fleet/loop";
import { type Leadership, type Registry, RegistryError, readUnit } from "@fleet/registry";
import type { BaseLogger } from "pino";
import type { MovingStates } from "./moving-states.ts";

/** What a roller works with. */
export interface RollerOptions {
  readonly registry: Registry;
  readonly log: BaseLogger;
  readonly state: ClusterState;
  readonly states: Pick<MovingStates, "of" | "forget">;
  /** Null while this engine may not act. */
  readonly leadership: () => Leadership | null;
}

/** A roll that this engine carries out. */
interface ActiveRoll {
  readonly units: RollRecord["units"];
  readonly memory: RollMemory;
  /** The etcd revision of this engine's last step: nothing is decided on a view that is older. */
  readonly revision: number;
}

/** The parts of one transaction. */
interface Prepared {
  readonly compares: readonly Compare[];
  /** By key. */
  readonly ops: Map<string, Op>;
  readonly progress: RollProgress;
}

/** Between two looks while a roll is under way, for what time alone changes. */
const LOOK_MS = 500;
const IDLE_MS = 30_000;
/** For the watch to bring what a write was lost to. */
const LOST_MS = 100;
/** Of values in a transaction: etcd's default limit is 1.5 MiB for all of it. */
const MOST_BYTES = 1_000_000;

/**
 * Carries out rolls: what comes next is decided by `stepRoll`, each step is one fenced transaction of the roll's progress
 * and the units that it is about. All of it is in etcd, so that another engine goes on.
 */
export class Roller {
  readonly #options: RollerOptions;
  readonly #active = new Map<string, ActiveRoll>();
  readonly #loop: ReconcileLoop;
  readonly #trouble: SaidOnce<RegistryError>;
  /** The leadership under which it acted last. */
  #held: Leadership | null = null;

  constructor(options: RollerOptions) {
    this.#options = options;
    this.#trouble = new SaidOnce(({ code, message }) =>
      options.log.warn({ code }, `a roll is held up, and is tried again: ${message}`),
    );
    this.#loop = new ReconcileLoop({
      round: () => this.#round(),
      onError: (error) => {
        if (!(error instanceof RegistryError)) throw error;
        this.#trouble.say(error);
      },
    });
  }

  /** Something has changed that a roll may wait for. */
  trigger(): void {
    if (this.#options.state.rolls.size > 0) this.#loop.trigger();
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  async #round(): Promise<number> {
    const { state, leadership } = this.#options;
    const due = [...state.rolls].filter(([id]) => this.#isUnderWay(id));
    for (const id of [...this.#active.keys()]) if (!this.#isUnderWay(id)) this.#forget(id);
    if (due.length === 0) return IDLE_MS;
    const held = leadership();
    if (held === null) return LOOK_MS;
    // What was seen under an earlier leadership may be long ago.
    if (held !== this.#held) for (const id of [...this.#active.keys()]) this.#forget(id);
    this.#held = held;
    for (const [id, roll] of due) {
      try {
        await this.#advance(id, roll);
      } catch (error) {
        // One that can't go on holds up no other.
        if (!(error instanceof RegistryError)) throw error;
        this.#trouble.say(error);
      }
    }
    return LOOK_MS;
  }

  #isUnderWay(id: string): boolean {
    const progress = this.#options.state.rollProgress.get(id);
    return progress !== undefined && !isOver(progress) && this.#options.state.rolls.has(id);
  }

  /** One step of a roll. */
  async #advance(id: string, roll: RollRecord): Promise<void> {
    const { state } = this.#options;
    const { units } = roll;
    const { memory, revision: writtenAt } = this.#active.get(id) ?? { memory: NO_MEMORY, revision: 0 };
    const before = state.rollProgress.get(id);
    if (before === undefined || before.modRevision < writtenAt) return;
    const step = stepRoll(roll, before, memory, this.#view(), performance.now());
    if (step.progress === before) {
      this.#active.set(id, { units, memory: step.memory, revision: writtenAt });
      return;
    }
    const prepared = await this.#prepare(id, roll, step.progress, step.writes);
    const written = prepared === null ? null : await this.#commit(id, before.modRevision, prepared);
    if (written === null) {
      await sleep(LOST_MS);
      return;
    }
    this.#active.set(id, { units, memory: step.memory, revision: written });
    this.#say(id, before, prepared?.progress ?? step.progress, step.writes);
  }

  #view(): RollView {
    const { state, states } = this.#options;
    return {
      record: (name) => (state.isUnreadable("unit", name) ? undefined : (state.units.get(name) ?? null)),
      state: (name, machineID) => states.of(name, machineID),
    };
  }

  /** What a step writes; null: the view is behind etcd. A unit that can't be given its version has failed. */
  async #prepare(
    id: string,
    roll: RollRecord,
    progress: RollProgress,
    writes: readonly RollWrite[],
  ): Promise<Prepared | null> {
    let after = progress;
    const plans: PlannedChange[] = [];
    for (const write of writes) {
      const plan = await this.#plan(id, roll, write);
      if (plan === null) return null;
      if (typeof plan === "string") after = withFailure(roll, after, write, plan);
      else plans.push(plan);
    }
    // Units of one template have the same text: a transaction takes each key once.
    const ops = new Map(plans.flatMap(({ ops: all }) => all.map((op) => [keyOf(op), op] as const)));
    return { compares: plans.map(({ compare }) => compare), ops, progress: after };
  }

  /** The change of one unit; a text: why it can't be made; null: the view is behind etcd. */
  async #plan(id: string, roll: RollRecord, { unit, kind }: RollWrite): Promise<PlannedChange | string | null> {
    const { registry, state } = this.#options;
    const { etcd, keys } = registry;
    const { name, from, to } = unit;
    const known = await readUnit(etcd, keys, name);
    if (known === null || known.record.modRevision !== state.units.get(name)?.modRevision) return null;
    const desiredState = kind === "stop" ? "loaded" : "launched";
    const wanted = kind === "restore" ? from : to;
    const { hash, source = hash, whereabouts } = known.record;
    const isNew = wanted.hash !== hash || wanted.source !== source;
    const text = isNew ? await registry.unitText(wanted) : null;
    if (isNew && text === null) return "can't be given its text, which is not in etcd any more";
    const why = `roll ${id}${roll.message === null ? "" : `: ${roll.message}`}`;
    const stamp = { id: crypto.randomUUID().slice(0, 18), at: new Date().toISOString(), by: roll.by, message: why };
    try {
      const options = text === null ? null : parseUnitFile(text);
      // One that must not run twice leaves its machine before it is placed on another.
      const heldBy = scheduledTo(whereabouts);
      const held = heldBy === null ? {} : { heldBy };
      return planUnitChange(keys, { kind: "set", name, options, text, desiredState, ...held }, known, stamp);
    } catch (error) {
      const isRefused = error instanceof RegistryError && error.code === "refused";
      if (isRefused || error instanceof InvalidUnitError || error instanceof UnitFileError)
        return `was refused: ${error.message}`;
      throw error;
    }
  }

  /** @returns the etcd revision; null: etcd did not take it */
  async #commit(id: string, modRevision: number, { compares, ops, progress }: Prepared): Promise<number | null> {
    const { registry, leadership } = this.#options;
    const { etcd, keys } = registry;
    const fence = leadership()?.fence;
    if (fence === undefined) return null;
    const key = keys.rollProgress(id);
    await this.#writeTexts(ops);
    const { succeeded, revision } = await etcd.txn(
      [fence, { key, modRevision }, ...compares],
      [...ops.values(), { put: key, value: encodeRollProgress(progress) }],
    );
    return succeeded ? revision : null;
  }

  /** Writes texts that are too much for one transaction before it: nothing refers to them until then. */
  async #writeTexts(ops: Map<string, Op>): Promise<void> {
    const { etcd, keys } = this.#options.registry;
    const size = [...ops.values()].reduce((sum, op) => sum + ("put" in op ? Buffer.byteLength(op.value) : 0), 0);
    if (size <= MOST_BYTES) return;
    for (const [key, op] of ops) {
      const kind = keys.parts(key)?.kind;
      if (kind !== "source" && kind !== "unit-file") continue;
      await etcd.txn([], [op]);
      ops.delete(key);
    }
  }

  #say(id: string, before: RollProgress, after: RollProgress, writes: readonly RollWrite[]): void {
    const { log } = this.#options;
    for (const { unit, kind } of writes) log.info({ roll: id, unit: unit.name }, `roll ${id}: ${kind} ${unit.name}`);
    if (before.status !== after.status || before.why !== after.why)
      log.info({ roll: id }, `roll ${id} is ${after.status}${after.why === null ? "" : `: ${after.why}`}`);
  }

  #forget(id: string): void {
    const { units = [] } = this.#active.get(id) ?? {};
    this.#active.delete(id);
    for (const { name } of units) this.#options.states.forget(name);
  }
}

const keyOf = (op: Op): string => ("put" in op ? op.put : "delete" in op ? op.delete : op.get);

function withFailure(
  roll: RollRecord,
  progress: RollProgress,
  { unit: { name }, kind }: RollWrite,
  why: string,
): RollProgress {
  const index = roll.units.findIndex((unit) => unit.name === name);
  const phases = progress.phases.with(index, kind === "restore" ? "stuck" : "failed");
  return { ...progress, phases, reasons: { ...progress.reasons, [name]: why } };
}

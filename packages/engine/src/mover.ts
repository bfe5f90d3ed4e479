import type { ClusterState, Compare, UnitRecord, Versioned } from "@fleet/domain/cluster";
import { type ClusterModel, type Relocation, relocationsOf, staleMoves, targetOf } from "@fleet/domain/placement";
import {
  canChange,
  change,
  isHeld,
  MOVE_LIMITS,
  type Move,
  type MoveStep,
  type MoveView,
  recordOps,
  stepMove,
} from "@fleet/domain/whereabouts";
import { ReconcileLoop } from "@fleet/loop";
import { type Leadership, type Registry, RegistryError } from "@fleet/registry";
import type { BaseLogger } from "pino";
import type { MovingStates } from "./moving-states.ts";

/** What a mover works with. */
export interface MoverOptions {
  readonly registry: Registry;
  readonly log: BaseLogger;
  readonly state: ClusterState;
  readonly model: ClusterModel;
  readonly states: Pick<MovingStates, "of" | "forget">;
  /** Null while this engine may not act. */
  readonly leadership: () => Leadership | null;
  /** Keeps the plan from deciding on a unit while it is being moved, and lets it again. */
  readonly hold: (unit: string, isHeld: boolean) => void;
}

/** A move that this engine has under way. */
interface Underway extends Relocation {
  readonly move: Move;
  /** A write is on its way: the next step is decided on when it has come back. */
  readonly isWriting: boolean;
  /** How often in a row etcd did not take a write: somebody else had changed the unit, or the machine. */
  readonly losses: number;
}

type Write = Extract<MoveStep, { kind: "write" }>;

/** Between two looks while something is on its way, for what time alone changes. */
const LOOK_MS = 500;
const IDLE_MS = 30_000;
/** For the watch to bring what a write was lost to. */
const LOST_MS = 100;
const MOST_LOSSES = 3;

/**
 * Moves units on request: away from machines that are drained, and where a rebalance wants them. One after the other for
 * each machine that is drained, and within the limit of the rebalance. What is to be done next is decided by `stepMove`; all
 * of it is in etcd, so that another engine goes on.
 */
export class Mover {
  readonly #options: MoverOptions;
  readonly #underway = new Map<string, Underway>();
  /** Units that could not be moved, and when they may be tried again, by performance.now(). */
  readonly #notBefore = new Map<string, number>();
  /** Requests that are done with, by unit: the revision that they were written at. Their removal may not have come here. */
  readonly #done = new Map<string, number>();
  readonly #writes = new Set<Promise<void>>();
  readonly #loop: ReconcileLoop;
  /** When this engine could last act, by performance.now(). */
  #actedAt = 0;

  constructor(options: MoverOptions) {
    this.#options = options;
    this.#loop = new ReconcileLoop({
      round: () => this.#round(),
      onError: (error) => {
        if (!(error instanceof RegistryError)) throw error;
        options.log.warn({ code: error.code }, `moves that are done could not be removed yet: ${error.message}`);
      },
    });
  }

  /** Units that are on their way. */
  get busy(): readonly string[] {
    return [...this.#underway.keys()].sort();
  }

  /** Something has changed that a move may wait for. */
  trigger(): void {
    this.#loop.trigger();
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#loop.run(signal);
    await Promise.all(this.#writes);
  }

  async #round(): Promise<number> {
    const now = performance.now();
    if (this.#options.leadership() === null) {
      if (now - this.#actedAt > MOVE_LIMITS.deposed) for (const unit of this.busy) this.#drop(unit);
      return this.#underway.size > 0 ? LOOK_MS : IDLE_MS;
    }
    this.#actedAt = now;
    if (!this.#isIdle) {
      await this.#forgetStale();
      for (const relocation of this.#due(now)) this.#begin(relocation);
      for (const unit of this.busy) this.#advance(unit, now);
    }
    if (this.#underway.size > 0) return LOOK_MS;
    const nextAt = Math.min(...[...this.#notBefore.values()].filter((at) => at > now), now + IDLE_MS);
    return nextAt - now;
  }

  get #isIdle(): boolean {
    const { model, state } = this.#options;
    const isAsked = state.cordons.size > 0 || state.moves.size > 0;
    return !isAsked && this.#underway.size === 0 && !model.hasMoving && !model.hasLeaving;
  }

  async #forgetStale(): Promise<void> {
    const { model, state } = this.#options;
    if (state.moves.size === 0) return;
    for (const name of staleMoves(model, state, this.#underway)) await this.#forget(name);
  }

  #due(now: number): readonly Relocation[] {
    const { model, state } = this.#options;
    for (const unit of this.#notBefore.keys()) if (!model.units.has(unit)) this.#notBefore.delete(unit);
    for (const [unit, revision] of this.#done)
      if (state.moves.get(unit)?.modRevision !== revision) this.#done.delete(unit);
    const triedAt = (unit: string): number => this.#notBefore.get(unit) ?? 0;
    const isResting = (unit: string): boolean => triedAt(unit) > now || this.#done.has(unit);
    return relocationsOf(model, state, { busy: this.#underway, isResting, triedAt });
  }

  #begin(relocation: Relocation): void {
    const { unit, from, preferred, reason } = relocation;
    const move: Move = { unit, from, preferred, reason, phase: { kind: "begin" } };
    this.#underway.set(unit, { ...relocation, move, isWriting: false, losses: 0 });
    this.#options.hold(unit, true);
  }

  /** Takes the next steps of a move, until it waits for something. */
  #advance(unit: string, now: number): void {
    for (;;) {
      const underway = this.#underway.get(unit);
      if (underway === undefined || underway.isWriting) return;
      const { move } = underway;
      const step = stepMove(move, this.#viewOf(unit), now);
      switch (step.kind) {
        case "wait": {
          if (step.phase === move.phase) return;
          this.#enter({ ...underway, move: { ...move, phase: step.phase } });
          break;
        }
        case "write":
          return this.#write(underway, step);
        case "end":
          this.#end(unit, null);
          return;
        case "give-up":
          this.#end(unit, step.why);
          return;
        case "drop":
          this.#drop(unit);
          return;
      }
    }
  }

  #viewOf(unit: string): MoveView {
    const { state, states, model } = this.#options;
    const record = state.units.get(unit) ?? null;
    const modelled = model.units.get(unit);
    return {
      record: modelled === undefined ? null : record,
      mayOverlap: modelled?.requirements.overlap === true && record?.desiredState === "launched",
      stateOn: (machineID) => states.of(unit, machineID),
      target: (preferred) => (modelled === undefined ? null : targetOf(model, modelled, preferred)),
    };
  }

  /** A move has come further. */
  #enter(underway: Underway): void {
    const { unit, move } = underway;
    this.#underway.set(unit, underway);
    if (!isHeld(move)) this.#options.hold(unit, false);
  }

  #write(underway: Underway, step: Write): void {
    const { unit } = underway;
    this.#underway.set(unit, { ...underway, isWriting: true });
    const writing = this.#commit(underway, step)
      .catch((error: unknown) => this.#interrupted(unit, error))
      .finally(() => {
        this.#writes.delete(writing);
        this.#loop.trigger();
      });
    this.#writes.add(writing);
  }

  async #commit(underway: Underway, step: Write): Promise<void> {
    const { unit, move } = underway;
    const { log, model, state } = this.#options;
    const record = state.units.get(unit);
    const modelled = model.units.get(unit);
    // From this moment the plan counts with the unit on its new machine too, before etcd has it.
    if (
      step.event.kind === "begin-move" &&
      modelled !== undefined &&
      canChange(modelled.record.whereabouts, step.event)
    )
      model.assume(modelled, step.event);
    const revision = record === undefined ? null : await this.#transact(unit, record, step);
    if (revision === null) {
      await new Promise((resolve) => setTimeout(resolve, LOST_MS));
      if (underway.losses >= MOST_LOSSES) this.#drop(unit);
      else this.#underway.set(unit, { ...underway, losses: underway.losses + 1 });
      return;
    }
    const to =
      step.event.kind === "begin-move" ? step.event.to : step.event.kind === "leave" ? step.event.preferred : null;
    if (to !== null) log.info({ unit, from: move.from, to, reason: move.reason }, "moving");
    if (step.warning !== null) log.warn({ unit, machine: move.from }, `${unit}: ${step.warning}`);
    if (step.next === null) return this.#end(unit, step.giveUp);
    this.#enter({
      ...underway,
      losses: 0,
      isWriting: false,
      move: { ...move, phase: { ...step.next, revision } as Move["phase"] },
    });
  }

  /** Writes what happens to a unit in one fenced transaction. Returns the etcd revision; null: etcd did not take it. */
  async #transact(
    unit: string,
    record: Versioned<UnitRecord>,
    { event, cause, machine }: Write,
  ): Promise<number | null> {
    const { registry, leadership, state } = this.#options;
    const { keys, etcd } = registry;
    const fence = leadership()?.fence;
    const target = machine === null ? null : state.machines.get(machine);
    if (fence === undefined || target === undefined) return null;
    const compares: Compare[] = [fence, { key: keys.unit(unit), modRevision: record.modRevision }];
    if (machine !== null && target !== null)
      compares.push({ key: keys.machine(machine), createRevision: target.createRevision });
    const whereabouts = change(record.whereabouts, event);
    const after: UnitRecord = { ...record, whereabouts, cause: cause ?? record.cause };
    const { succeeded, revision } = await etcd.txn(compares, recordOps(keys, unit, record, after));
    return succeeded ? revision : null;
  }

  #interrupted(unit: string, error: unknown): void {
    if (!(error instanceof RegistryError)) throw error;
    this.#notBefore.set(unit, performance.now() + MOVE_LIMITS.retry);
    const { log } = this.#options;
    log.warn({ unit, code: error.code }, `moving was interrupted and is tried again: ${error.message}`);
    this.#drop(unit);
  }

  /** A move is over: its request, if there was one, is done with. */
  #end(unit: string, why: string | null): void {
    if (why !== null) {
      this.#options.log.warn({ unit }, `not moved: ${why}`);
      this.#notBefore.set(unit, performance.now() + MOVE_LIMITS.rest);
    }
    this.#drop(unit);
    const request = this.#options.state.moves.get(unit);
    if (request === undefined) return;
    this.#done.set(unit, request.modRevision);
    // One that can't be removed now is found to be stale later, or asked for again.
    const forgetting = this.#forget(unit)
      .catch((error: unknown) => {
        if (!(error instanceof RegistryError)) throw error;
        this.#done.delete(unit);
      })
      .finally(() => this.#writes.delete(forgetting));
    this.#writes.add(forgetting);
  }

  /** Lets a unit go: it is the plan's again. */
  #drop(unit: string): void {
    this.#underway.delete(unit);
    this.#options.states.forget(unit);
    this.#options.hold(unit, false);
  }

  async #forget(unit: string): Promise<void> {
    const { registry, leadership, state } = this.#options;
    const fence = leadership()?.fence;
    if (fence === undefined || !state.moves.has(unit)) return;
    await registry.etcd.txn([fence], [{ delete: registry.keys.move(unit) }]);
  }
}

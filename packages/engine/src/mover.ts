import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterState, Compare, UnitRecord } from "@fleet/domain/cluster";
import { type ClusterModel, type Relocation, relocationsOf, staleMoves, targetOf } from "@fleet/domain/placement";
import {
  canChange,
  hasEnded,
  isHeld,
  MOVE_LIMITS,
  type Move,
  type MoveStep,
  type MoveView,
  recordAfter,
  recordOps,
  sameEnd,
  sameWhereabouts,
  stepMove,
} from "@fleet/domain/whereabouts";
import { ReconcileLoop } from "@fleet/loop";
import { deletionNote, type Leadership, type Registry, RegistryError } from "@fleet/registry";
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
interface ActiveMove extends Relocation {
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
  readonly #active = new Map<string, ActiveMove>();
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
    return [...this.#active.keys()].sort();
  }

  /** Something has changed that a move may wait for. */
  trigger(): void {
    this.#loop.trigger();
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#loop.run(signal);
    // One that has come back may have led to another.
    while (this.#writes.size > 0) await Promise.all(this.#writes);
  }

  async #round(): Promise<number> {
    const now = performance.now();
    if (this.#options.leadership() === null) {
      if (now - this.#actedAt > MOVE_LIMITS.deposed) for (const unit of this.busy) this.#drop(unit);
      return this.#isIdle ? IDLE_MS : LOOK_MS;
    }
    this.#actedAt = now;
    if (!this.#isIdle) {
      const { model, state } = this.#options;
      for (const unit of staleMoves(model, state, this.#active)) this.#removeRequest(unit);
      for (const relocation of this.#due(now)) this.#begin(relocation);
      const looked = this.busy;
      for (const unit of looked) this.#advance(unit, now);
      // Where one was let go others may have their turn.
      if (looked.length > 0) return LOOK_MS;
    }
    const nextAt = Math.min(...[...this.#notBefore.values()].filter((at) => at > now), now + IDLE_MS);
    return nextAt - now;
  }

  get #isIdle(): boolean {
    const { model, state } = this.#options;
    const isAsked = state.cordons.size > 0 || state.moves.size > 0;
    return !isAsked && this.#active.size === 0 && !model.hasMoving && !model.hasLeaving;
  }

  #due(now: number): readonly Relocation[] {
    const { model, state } = this.#options;
    for (const unit of this.#notBefore.keys()) if (!model.units.has(unit)) this.#notBefore.delete(unit);
    for (const [unit, revision] of this.#done)
      if (state.moves.get(unit)?.modRevision !== revision) this.#done.delete(unit);
    const triedAt = (unit: string): number => this.#notBefore.get(unit) ?? 0;
    const isResting = (unit: string): boolean => triedAt(unit) > now || this.#done.has(unit) || this.#isAssumed(unit);
    return relocationsOf(model, state, { busy: this.#active, isResting, triedAt });
  }

  /** Whether the plan has a decision on a unit on its way that the engine's own view of etcd does not show yet. */
  #isAssumed(unit: string): boolean {
    const { model, state } = this.#options;
    const [assumed, seen] = [model.units.get(unit)?.record, state.units.get(unit)];
    return assumed !== undefined && seen !== undefined && !sameWhereabouts(assumed.whereabouts, seen.whereabouts);
  }

  #begin(relocation: Relocation): void {
    const { unit, from, preferred, reason } = relocation;
    const move: Move = { unit, from, preferred, reason, phase: { kind: "begin" } };
    this.#active.set(unit, { ...relocation, move, isWriting: false, losses: 0 });
    this.#options.hold(unit, true);
  }

  /** Takes the next steps of a move, until it waits for something. */
  #advance(unit: string, now: number): void {
    for (;;) {
      const active = this.#active.get(unit);
      if (active === undefined || active.isWriting) return;
      const { move } = active;
      const step = stepMove(move, this.#viewOf(unit), now);
      switch (step.kind) {
        case "wait": {
          if (step.phase === move.phase) return;
          this.#enter({ ...active, move: { ...move, phase: step.phase } });
          break;
        }
        case "write":
          return this.#write(active, step);
        case "end":
          return this.#end(unit, null);
        case "give-up":
          return this.#end(unit, step.why);
        case "drop":
          return this.#drop(unit);
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
      // The states of a machine that has a grace went with its lease: what it would say is not known.
      stateOn: (machineID) =>
        model.machine(machineID) === null && !model.isGone(machineID) ? undefined : states.of(unit, machineID),
      target: (preferred) => (modelled === undefined ? null : targetOf(model, modelled, preferred)),
    };
  }

  /** A move has come further. */
  #enter(active: ActiveMove): void {
    const { unit, move } = active;
    this.#active.set(unit, active);
    if (!isHeld(move)) this.#options.hold(unit, false);
  }

  #write(active: ActiveMove, step: Write): void {
    const writing = this.#commit(active, step).finally(() => {
      this.#writes.delete(writing);
      this.#loop.trigger();
    });
    this.#writes.add(writing);
  }

  async #commit(active: ActiveMove, step: Write): Promise<void> {
    const { unit } = active;
    const waiting: ActiveMove = { ...active, isWriting: true };
    this.#active.set(unit, waiting);
    // One that was let go meanwhile is not held any more, and may have been begun anew.
    const isUnderway = (): boolean => this.#active.get(unit) === waiting;
    if (step.event.kind === "begin-move") this.#assume(unit, step.event);
    try {
      const revision = await this.#transact(unit, step);
      if (revision === null) await sleep(LOST_MS);
      else this.#say(active, step);
      if (isUnderway()) this.#goOn(active, step, revision);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      const { log } = this.#options;
      log.warn({ unit, code: error.code }, `moving was interrupted and is tried again: ${error.message}`);
      if (isUnderway()) this.#putOff(unit, MOVE_LIMITS.retry);
    }
  }

  /** From now on the plan counts with a unit on its new machine too, before etcd has it. */
  #assume(unit: string, event: Write["event"]): void {
    const { model } = this.#options;
    const modelled = model.units.get(unit);
    if (modelled !== undefined && canChange(modelled.record.whereabouts, event)) model.assume(modelled, event);
  }

  #say({ unit, move }: ActiveMove, { event, warning }: Write): void {
    const { log } = this.#options;
    const to = event.kind === "begin-move" ? event.to : event.kind === "leave" ? event.preferred : null;
    if (to !== null) log.info({ unit, from: move.from, to, reason: move.reason }, "moving");
    if (warning !== null) log.warn({ unit, machine: move.from }, `${unit}: ${warning}`);
  }

  /** @param revision at which a step was written; null: etcd did not take it */
  #goOn(active: ActiveMove, { next }: Write, revision: number | null): void {
    const { unit, move, losses } = active;
    if (revision !== null) this.#enter({ ...active, losses: 0, move: { ...move, phase: { ...next, revision } } });
    else if (losses >= MOST_LOSSES) this.#putOff(unit, MOVE_LIMITS.retry);
    else this.#active.set(unit, { ...active, losses: losses + 1 });
  }

  /** Writes what happens to a unit in one fenced transaction. Returns the etcd revision; null: etcd did not take it. */
  async #transact(unit: string, { event, cause, machine }: Write): Promise<number | null> {
    const { registry, leadership, model, state } = this.#options;
    const { keys, etcd } = registry;
    const fence = leadership()?.fence;
    const record = state.units.get(unit);
    const target = machine === null ? null : state.machines.get(machine);
    if (fence === undefined || record === undefined || target === undefined) return null;
    const compares: Compare[] = [fence, { key: keys.unit(unit), modRevision: record.modRevision }];
    if (machine !== null && target !== null)
      compares.push({ key: keys.machine(machine), createRevision: target.createRevision });
    const end = sameEnd(keys, state, unit, record);
    if (end !== null) compares.push(end);
    const requirements = model.units.get(unit)?.requirements;
    const isEnded = requirements !== undefined && hasEnded(state, unit, record, requirements);
    const after: UnitRecord = { ...recordAfter(record, event, isEnded), cause: cause ?? record.cause };
    const { succeeded, revision } = await etcd.txn(compares, recordOps(keys, unit, record, after));
    return succeeded ? revision : null;
  }

  /** A move is over: its request, if there was one, is done with. */
  #end(unit: string, why: string | null): void {
    if (why === null) this.#drop(unit);
    else {
      this.#options.log.warn({ unit }, `not moved: ${why}`);
      this.#putOff(unit, MOVE_LIMITS.rest);
    }
    this.#loop.trigger(); // for the next in turn
    this.#removeRequest(unit);
  }

  /** Takes the request for a unit's move away, if there is one: whoever waits for it waits no longer. */
  #removeRequest(unit: string): void {
    const request = this.#options.state.moves.get(unit);
    if (request === undefined || this.#done.get(unit) === request.modRevision) return;
    this.#done.set(unit, request.modRevision);
    const forgetting = this.#forget(unit, request.modRevision)
      .catch((error: unknown) => {
        if (!(error instanceof RegistryError)) throw error;
        return false;
      })
      .then((isRemoved) => {
        // One that is still there is found to be stale later, or is tried again.
        if (!isRemoved) this.#done.delete(unit);
      })
      .finally(() => this.#writes.delete(forgetting));
    this.#writes.add(forgetting);
  }

  /** Lets a unit go, and leaves it alone for so many milliseconds. */
  #putOff(unit: string, milliseconds: number): void {
    this.#notBefore.set(unit, performance.now() + milliseconds);
    this.#drop(unit);
  }

  /** Lets a unit go: it is the plan's again. */
  #drop(unit: string): void {
    this.#active.delete(unit);
    this.#options.states.forget(unit);
    this.#options.hold(unit, false);
  }

  /** Removes a request that is done with, if it was not made anew since. Returns whether etcd has removed it. */
  async #forget(unit: string, modRevision: number): Promise<boolean> {
    const { registry, leadership } = this.#options;
    const fence = leadership()?.fence;
    if (fence === undefined) return false;
    const key = registry.keys.move(unit);
    const { succeeded } = await registry.etcd.txn(
      [fence, { key, modRevision }],
      [{ delete: key }, deletionNote(registry.keys, key)],
    );
    return succeeded;
  }
}

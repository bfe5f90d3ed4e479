import { setTimeout as sleep } from "node:timers/promises";
import {
  type ClusterState,
  type Compare,
  encodeSchedule,
  encodeUnit,
  type Op,
  RegistryError,
  type StateRecord,
  type UnitRecord,
} from "@fleet/domain/cluster";
import { type ClusterModel, type Relocation, relocationsOf, staleMoves, targetOf } from "@fleet/domain/placement";
import type { Leadership, Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";

/** What a mover works with. */
export interface MoverOptions {
  readonly registry: Registry;
  readonly log: BaseLogger;
  readonly state: ClusterState;
  readonly model: ClusterModel;
  /** Null while this engine may not act. */
  readonly leadership: () => Leadership | null;
  /** Keeps the plan from deciding on a unit while it is being moved, and lets it again. */
  readonly hold: (unit: string, isHeld: boolean) => void;
}

const PAUSE_MS = 500;
const LOOK_MS = 100;
/** How long a unit may take to stop on its old machine, and to be active on its new one. */
const STOP_MS = 300_000;
const START_MS = 90_000;
/** How long the plan may take to place a unit that has left its machine; a unit that fits nowhere waits longer. */
const PLACE_MS = 3_000;
/** How long this engine's own view of etcd may be behind. */
const CATCH_UP_MS = 5_000;
/** An engine that may not act for longer than this leaves its moves to the one that leads by then. */
const DEPOSED_MS = 5_000;
/** A unit that could not be moved is left alone for so long. */
const AGAIN_MS = 60_000;

/**
 * Moves units on request: away from machines that are drained, and where a rebalance wants them. One after the other for
 * each machine that is drained, and within the limit of the rebalance. A unit that may overlap is active on its new
 * machine before it is stopped on the old; any other is stopped first. All of it is in etcd: another engine goes on.
 */
export class Mover {
  readonly #options: MoverOptions;
  readonly #busy = new Map<string, Relocation>();
  readonly #notBefore = new Map<string, number>();

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Units that are on their way. */
  get busy(): readonly string[] {
    return [...this.#busy.keys()].sort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const ended: Promise<void>[] = [];
    while (!signal.aborted) {
      if (this.#options.leadership() !== null) {
        await this.#forgetStale();
        for (const relocation of this.#due()) {
          this.#busy.set(relocation.unit, relocation);
          ended.push(this.#move(relocation, signal).finally(() => this.#busy.delete(relocation.unit)));
        }
      }
      if (this.#busy.size === 0) ended.length = 0;
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
    await Promise.all(ended);
  }

  async #forgetStale(): Promise<void> {
    const { log, model, state } = this.#options;
    if (state.moves.size === 0) return;
    try {
      for (const name of staleMoves(model, state, this.#busy)) await this.#forget(name);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      log.warn({ code: error.code }, `moves that are done could not be removed yet: ${error.message}`);
    }
  }

  #due(): readonly Relocation[] {
    const now = performance.now();
    const { model, state } = this.#options;
    const isIdle = state.cordons.size === 0 && state.moves.size === 0;
    if (isIdle && model.moving.length === 0 && model.leaving.length === 0) return [];
    for (const unit of this.#notBefore.keys()) if (!model.units.has(unit)) this.#notBefore.delete(unit);
    const triedAt = (unit: string): number => this.#notBefore.get(unit) ?? 0;
    return relocationsOf(model, state, this.#busy, (unit) => triedAt(unit) > now, triedAt);
  }

  async #move(relocation: Relocation, signal: AbortSignal): Promise<void> {
    const { unit: name, reason } = relocation;
    const { log, hold, model } = this.#options;
    hold(name, true);
    try {
      const unit = model.units.get(name);
      if (unit === undefined) return;
      if (unit.record.leaving !== null) {
        return await this.#letGo(name, unit.record.leaving, unit.record.modRevision, signal);
      }
      const to = targetOf(model, unit, relocation.wish);
      if (to === null) return await this.#giveUp(name, "it fits on no other machine");
      log.info({ unit: name, from: relocation.from, to, reason }, "moving");
      const overlaps = unit.requirements.overlap && unit.record.desiredState === "launched";
      if (overlaps) await this.#overlap(relocation, to, signal);
      else await this.#stopFirst(relocation, to, signal);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.#notBefore.set(name, performance.now() + AGAIN_MS / 10);
      log.warn({ unit: name, code: error.code }, `moving was interrupted and is tried again: ${error.message}`);
    } finally {
      hold(name, false);
    }
  }

  /** Starts the unit on its new machine too, and takes it off the old one when it is active there. */
  async #overlap({ unit: name, from, reason }: Relocation, to: string, signal: AbortSignal): Promise<void> {
    const { model, registry, leadership } = this.#options;
    const { keys } = registry;
    let hash: string | null = null;
    const begun = await this.#write(name, to, (record) => {
      const unit = model.units.get(name);
      if (record.machineID !== from || unit === undefined || targetOf(model, unit, to) !== to) return null;
      // From this moment the plan counts with the unit there, before etcd has it.
      model.reserve(unit, to);
      hash = record.hash;
      return {
        record: { ...record, movingTo: to },
        ops: [
          { put: keys.schedule(to, name), value: encodeSchedule(record) },
          ...(record.movingTo === null || record.movingTo === to
            ? []
            : [{ delete: keys.schedule(record.movingTo, name) }]),
        ],
      };
    });
    if (begun === null) return;
    const isUp = await this.#settled(name, to, begun, signal);
    await this.#caughtUp(name, begun, signal);
    if (isUp) {
      const moved = await this.#write(name, to, (record) => {
        // A new version may ask for something else, and the machine may have become another: the move begins anew.
        const unit = model.units.get(name);
        const isAsBegun = record.machineID === from && record.movingTo === to && record.hash === hash;
        if (!isAsBegun || unit === undefined || targetOf(model, unit, to) !== to) return null;
        return {
          record: { ...record, machineID: to, movingTo: null, lastMachineID: null, cause: reason },
          ops: [{ delete: keys.schedule(from, name) }, { put: keys.schedule(to, name), value: encodeSchedule(record) }],
        };
      });
      if (moved !== null) return await this.#forget(name);
    }
    if (leadership() === null) return;
    await this.#write(name, null, (record) =>
      record.movingTo === to && record.machineID !== null
        ? { record: { ...record, movingTo: null }, ops: [{ delete: keys.schedule(to, name) }] }
        : null,
    );
    const why = isUp ? `machine ${to} does not fit it any more` : `it did not become active on machine ${to}`;
    await this.#giveUp(name, why);
  }

  /**
   * Takes the unit off its machine, and has it placed anew once that has let go of it, with the new machine as the first
   * choice: by then that one may have been taken by another unit, or be gone. The record says so: whoever leads goes on.
   */
  async #stopFirst({ unit: name, from, reason }: Relocation, to: string, signal: AbortSignal): Promise<void> {
    const { keys } = this.#options.registry;
    const freed = await this.#write(name, null, (record) => {
      if (record.machineID !== from || record.desiredState === "inactive") return null;
      const ops = [from, record.movingTo].flatMap((id) => (id === null ? [] : [{ delete: keys.schedule(id, name) }]));
      const leaving = { machineID: null, movingTo: null, lastMachineID: from, leaving: from, wish: to, cause: reason };
      return { record: { ...record, ...leaving }, ops };
    });
    if (freed !== null) await this.#letGo(name, from, freed, signal);
  }

  /**
   * Waits until a machine has let go of a unit that is leaving it, then leaves the unit to the plan.
   *
   * @param since the etcd revision of the record that says so
   */
  async #letGo(name: string, from: string, since: number, signal: AbortSignal): Promise<void> {
    const { log, leadership, hold, state } = this.#options;
    let hasLeft = false;
    /** Whether its user has stopped or destroyed it since: nothing is left to wait for. A copy that is behind says nothing. */
    const isOver = (): boolean => {
      const record = state.units.get(name);
      return record === undefined || (record.modRevision > since && record.leaving !== from);
    };
    const look = async (): Promise<boolean> => {
      hasLeft = (await this.#stateOn(name, from)) === null;
      return hasLeft || isOver();
    };
    await this.#until(look, STOP_MS, signal);
    if (signal.aborted || leadership() === null) return;
    if (!hasLeft && !isOver()) {
      log.warn({ unit: name, machine: from }, `${name} has not stopped within ${STOP_MS / 1000} s: it is placed anew`);
    }
    await this.#caughtUp(name, since, signal);
    const freed = await this.#write(name, null, (record) =>
      record.leaving === from ? { record: { ...record, leaving: null }, ops: [] } : null,
    );
    hold(name, false);
    if (freed !== null) {
      await this.#until(async () => state.units.get(name)?.machineID != null, PLACE_MS, signal);
      const now = state.units.get(name);
      if (now?.desiredState === "launched" && now.machineID !== null) {
        await this.#settled(name, now.machineID, freed, signal);
      }
    }
    // Whoever waits for the move waits for a unit that is up.
    await this.#forget(name);
  }

  /**
   * Whether the unit is up on a machine, or has run and ended there; false where it fails, takes too long, or is wanted
   * elsewhere or otherwise by then.
   *
   * @param since the etcd revision at which it was given to the machine
   */
  async #settled(name: string, machineID: string, since: number, signal: AbortSignal): Promise<boolean> {
    let isUp = false;
    const look = async (): Promise<boolean> => {
      const record = this.#options.state.units.get(name);
      const isHere = record?.machineID === machineID || record?.movingTo === machineID;
      const isWanted = record?.desiredState === "launched" && isHere;
      // Somebody has changed it since: it is the plan's again. A copy that is still behind says nothing.
      if (!isWanted && (record === undefined || record.modRevision >= since)) return true;
      const state = await this.#stateOn(name, machineID);
      if (state === null || state.current !== "launched") return state?.error != null;
      const { active, sub } = state.systemd;
      isUp = active === "active" || active === "reloading" || (active === "inactive" && sub === "dead");
      return isUp || active === "failed" || state.error !== null;
    };
    await this.#until(look, START_MS, signal);
    return isUp;
  }

  /** Waits until this engine's copy of a unit is not behind what it has written itself. */
  async #caughtUp(name: string, revision: number, signal: AbortSignal): Promise<void> {
    const { state } = this.#options;
    const isThere = (): boolean => (state.units.get(name)?.modRevision ?? revision) >= revision;
    await this.#until(async () => isThere(), CATCH_UP_MS, signal);
  }

  /** Changes a unit's record in one fenced transaction, as it is now. Returns the etcd revision; null: it was not done. */
  async #write(
    name: string,
    to: string | null,
    change: (record: UnitRecord) => { readonly record: UnitRecord; readonly ops: readonly Op[] } | null,
  ): Promise<number | null> {
    const { registry, leadership, state } = this.#options;
    const { keys } = registry;
    const key = keys.unit(name);
    for (let tries = 0; tries < 3; tries++) {
      const fence = leadership()?.fence;
      const known = state.units.get(name);
      if (fence === undefined || known === undefined) return null;
      const changed = change(known);
      if (changed === null) return null;
      const compares: Compare[] = [fence, { key, modRevision: known.modRevision }];
      const machine = to === null ? undefined : state.machines.get(to);
      if (to !== null && machine === undefined) return null;
      if (to !== null && machine !== undefined)
        compares.push({ key: keys.machine(to), createRevision: machine.createRevision });
      const ops: readonly Op[] = [{ put: key, value: encodeUnit(changed.record) }, ...changed.ops];
      const { succeeded, revision } = await registry.etcd.txn(compares, ops);
      if (succeeded) return revision;
      await sleep(LOOK_MS); // for the mirror to bring what it was lost to
    }
    return null;
  }

  async #stateOn(name: string, machineID: string): Promise<StateRecord | null> {
    const { registry } = this.#options;
    return registry.unitState(name, machineID);
  }

  async #until(condition: () => Promise<boolean>, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const endsAt = performance.now() + timeoutMs;
    let actedAt = performance.now();
    while (!signal.aborted) {
      const now = performance.now();
      if (this.#options.leadership() !== null) actedAt = now;
      if (now > endsAt || now - actedAt > DEPOSED_MS) return;
      try {
        if (await condition()) return;
      } catch (error) {
        // What can't be asked now is not so yet.
        if (!(error instanceof RegistryError)) throw error;
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #giveUp(name: string, why: string): Promise<void> {
    this.#options.log.warn({ unit: name }, `not moved: ${why}`);
    this.#notBefore.set(name, performance.now() + AGAIN_MS);
    await this.#forget(name);
  }

  /** A request for a move is done with, one way or the other. */
  async #forget(name: string): Promise<void> {
    const { registry, leadership, state } = this.#options;
    const fence = leadership()?.fence;
    if (fence === undefined || !state.moves.has(name)) return;
    await registry.etcd.txn([fence], [{ delete: registry.keys.move(name) }]);
  }
}

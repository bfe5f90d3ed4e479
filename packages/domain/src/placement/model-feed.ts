import { machineOf } from "../cluster/readers.ts";
import type { Change, ClusterState } from "../cluster/state.ts";
import type { Requirements } from "../unit/requirements.ts";
import { RequirementsCache } from "../unit/requirements-cache.ts";
import { ClusterModel } from "./cluster-model.ts";
import type { GlobalUnit } from "./conflicts.ts";
import { unreadablePeer } from "./unreadable-peer.ts";

/** Keeps a model in step with the mirrored registry. */
export class ModelFeed {
  readonly model: ClusterModel;
  readonly #state: ClusterState;
  readonly #requirementsOf = new RequirementsCache();
  /** Global units of which it is not known yet what they ask for, by the hash of their file. */
  readonly #waiting = new Map<string, Set<string>>();

  constructor(state: ClusterState) {
    this.#state = state;
    this.model = new ClusterModel({
      machine: (id) => state.isUnreadable("machine", id),
      cordon: (id) => state.isUnreadable("cordon", id),
      peer: (unit) => unreadablePeer(unit, state, (name, hash) => this.#requirements(name, hash)),
    });
  }

  /** Takes in everything that the registry holds. Yields now and then. */
  *load(): Generator<void, void> {
    let count = 0;
    for (const id of [...this.#state.cordons.keys()]) this.model.setCordon(id, this.#state.cordons.get(id) ?? null);
    for (const id of [...this.#state.machines.keys()]) this.#syncMachine(id);
    for (const name of [...this.#state.globals.keys()]) this.#syncGlobal(name);
    for (const name of [...this.#state.units.keys()]) {
      this.syncUnit(name);
      if (++count % 200 === 0) yield;
    }
  }

  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      switch (change.kind) {
        case "unit":
          this.syncUnit(change.name);
          if (this.#state.globals.has(change.name)) this.#syncGlobal(change.name);
          // It may be one that could not be read.
          if (change.before === null) this.model.readableAgain();
          break;
        case "global":
          this.#syncGlobal(change.name);
          break;
        case "unit-file":
          // Global units and files come by different watches, in no order between them.
          for (const name of this.#waiting.get(change.hash) ?? []) this.#syncGlobal(name);
          break;
        case "machine":
          this.#syncMachine(change.id);
          break;
        case "cordon":
          // One that could never be read went: it kept units away as any other does.
          if (change.before === null && change.after === null) this.model.setCordon(change.machineID, { drain: false });
          this.model.setCordon(change.machineID, change.after);
          break;
        case "machine-metadata":
          this.#syncMachine(change.machineID);
          break;
        default:
          break;
      }
    }
  }

  /** Takes a unit as the registry has it, whatever the model assumed. */
  syncUnit(name: string): void {
    const record = this.#state.units.get(name);
    if (record === undefined) return this.model.deleteUnit(name);
    const requirements = this.#requirements(name, record.hash);
    // A unit whose file can't be read is left where it is: nothing can be decided on it.
    if (requirements === null) return this.model.deleteUnit(name);
    this.model.setUnit(name, record, requirements);
  }

  #syncGlobal(name: string): void {
    const record = this.#state.globals.get(name);
    const requirements = record === undefined ? null : this.#requirements(name, record.hash);
    if (record !== undefined) this.#wait(record.hash, name, requirements === null);
    if (record === undefined || requirements === null) return this.model.deleteGlobal(name);
    const unit: GlobalUnit = { name, requirements, createRevision: record.createRevision };
    this.model.setGlobal(unit);
  }

  #wait(hash: string, name: string, isWaiting: boolean): void {
    const names = this.#waiting.get(hash) ?? new Set();
    if (isWaiting) this.#waiting.set(hash, names.add(name));
    else if (names.delete(name) && names.size === 0) this.#waiting.delete(hash);
  }

  #syncMachine(id: string): void {
    const machine = machineOf(this.#state, id);
    const record = this.#state.machines.get(id);
    if (machine === null || record === undefined) this.model.deleteMachine(id);
    else this.model.setMachine(machine, record.createRevision);
  }

  #requirements(name: string, hash: string): Requirements | null {
    const section = this.#state.sectionOf(name, hash);
    return section === null ? null : this.#requirementsOf.of(name, hash, section);
  }
}

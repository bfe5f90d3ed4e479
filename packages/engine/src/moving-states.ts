import type { StateRecord } from "@fleet/domain/cluster";
import type { Mirror, Registry, RegistryError } from "@fleet/registry";

/** What a set of watches of states needs. */
export interface MovingStatesOptions {
  readonly registry: Registry;
  /** Null: states are watched. A number: they are read so often instead, in milliseconds. */
  readonly pollMs: number | null;
  readonly onTrouble: (error: RegistryError) => void;
  /** Called when a state has come, changed or gone. */
  readonly onChanged: () => void;
}

/**
 * What machines say of the units that are being moved: a watch for each unit and machine, for as long as the unit is on its
 * way. An engine keeps no states otherwise: there are as many as units, and they change all the time.
 */
export class MovingStates {
  readonly #options: MovingStatesOptions;
  readonly #watches = new Map<string, Map<string, { readonly mirror: Mirror; readonly stopping: AbortController }>>();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: MovingStatesOptions) {
    this.#options = options;
  }

  /**
   * What a machine says of a unit; null: nothing; undefined: that is not known yet, and is asked for, or can't be read: then
   * the machine has the unit, however it is.
   */
  of(unit: string, machineID: string): StateRecord | null | undefined {
    const { mirror } = this.#watches.get(unit)?.get(machineID) ?? this.#watch(unit, machineID);
    const { isReady, state } = mirror;
    if (!isReady || state.isUnreadable("state", machineID, unit)) return undefined;
    return state.states.get(unit)?.get(machineID) ?? null;
  }

  /** A unit is on its way no longer. */
  forget(unit: string): void {
    for (const { stopping } of this.#watches.get(unit)?.values() ?? []) stopping.abort();
    this.#watches.delete(unit);
  }

  /** Ends all watches. */
  async close(): Promise<void> {
    for (const unit of [...this.#watches.keys()]) this.forget(unit);
    await Promise.all(this.#ending);
  }

  #watch(unit: string, machineID: string): { readonly mirror: Mirror; readonly stopping: AbortController } {
    const { registry, pollMs, onTrouble, onChanged } = this.#options;
    const key = registry.keys.state(machineID, unit);
    const mirror = registry.mirror({ ranges: [{ start: key, end: `${key}\0` }], pollMs, onTrouble });
    const stopping = new AbortController();
    mirror.onChanges(onChanged);
    const done = mirror.run(stopping.signal).finally(() => this.#ending.delete(done));
    this.#ending.add(done);
    const watch = { mirror, stopping };
    const watches = this.#watches.get(unit) ?? new Map<string, typeof watch>();
    this.#watches.set(unit, watches.set(machineID, watch));
    return watch;
  }
}

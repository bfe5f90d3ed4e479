import type { StateRecord } from "@fleet/domain/cluster";
import type { MachineRegistration, StateUpdate } from "@fleet/registry";

/**
 * Publishes what changed, in the order in which it happened: one write is under way at a time, and what changes
 * meanwhile goes with the next one in its newest form.
 */
export class StatePublisher {
  readonly #published = new Map<string, string>();
  #registration: MachineRegistration | null = null;

  /**
   * Begins anew under a registration: everything is published again, since what stands there is bound to a lease that
   * may end.
   *
   * @param leftovers names of units that the registry holds states of
   */
  begin(registration: MachineRegistration, leftovers: readonly string[]): void {
    this.#registration = registration;
    this.#published.clear();
    for (const name of leftovers) this.#published.set(name, "unknown");
  }

  /** Whether there is a registration to publish under. */
  get isOpen(): boolean {
    return this.#registration !== null;
  }

  /** Names of all units of which the registry holds a state by this machine. */
  get names(): Iterable<string> {
    return this.#published.keys();
  }

  /** Writes the states that differ from what was published. Nothing is written where none does. */
  async publish(states: ReadonlyMap<string, StateRecord | null>): Promise<void> {
    const registration = this.#registration;
    if (registration === null) return;
    const updates: StateUpdate[] = [];
    for (const [name, state] of states) {
      const before = this.#published.get(name);
      const after = state === null ? undefined : JSON.stringify(state);
      if (before !== after) updates.push({ name, state });
    }
    if (updates.length === 0) return;
    await registration.publish(updates);
    for (const { name, state } of updates) {
      if (state === null) this.#published.delete(name);
      else this.#published.set(name, JSON.stringify(state));
    }
  }
}

import type { SystemdStates } from "@fleet/domain/unit";
import type { Manager } from "./manager.ts";
import type { UnitLinks } from "./unit-links.ts";

/**
 * States of units. systemd drops a unit that is at rest from memory, and each question by its name has it read the file
 * again, and warn again of what it finds there. What it said of such a unit therefore counts until the unit is loaded
 * anew, its link goes, or somebody has systemd reload.
 */
export class UnitStates {
  readonly #manager: Pick<Manager, "held" | "states">;
  readonly #links: Pick<UnitLinks, "has">;
  readonly #atRest = new Map<string, SystemdStates>();

  constructor(manager: Pick<Manager, "held" | "states">, links: Pick<UnitLinks, "has">) {
    this.#manager = manager;
    this.#links = links;
  }

  /** States by name; a unit that systemd does not know is `not-found`. */
  async of(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>> {
    const states = new Map(await this.#manager.held(names));
    const unknown: string[] = [];
    for (const name of names) {
      if (states.has(name)) continue;
      const known = this.#links.has(name) ? this.#atRest.get(name) : undefined;
      if (known === undefined) unknown.push(name);
      else states.set(name, known);
    }
    for (const [name, state] of await this.#manager.states(unknown)) {
      states.set(name, state);
      if (state.active === "inactive" && state.load !== "not-found") this.#atRest.set(name, state);
      else this.#atRest.delete(name);
    }
    return states;
  }

  /** The files of units may be others by now. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#atRest.delete(name);
  }

  /** Any unit's file may be another by now. */
  forgetAll(): void {
    this.#atRest.clear();
  }
}

import type { StateInfo, UnitInfo } from "../client/cluster-client.ts";
import type { Judge } from "./judge.ts";
import type { Outcome } from "./verdict.ts";

/** The copies of a global unit, one a machine, as they settle. */
export class Copies {
  readonly #outcomes = new Map<string, Outcome>();

  /** Takes in what machines say of the unit. Returns IDs of the machines on which it is in trouble since, with why. */
  take(
    unit: UnitInfo,
    states: readonly StateInfo[],
    judge: Judge,
    now: number,
  ): readonly { readonly machineID: string; readonly why: string }[] {
    const found: { machineID: string; why: string }[] = [];
    for (const state of states) {
      const { machineID } = state;
      const verdict = judge.judge(`${unit.name} ${machineID}`, unit, state, now);
      if (verdict.kind !== "there" && verdict.kind !== "in-trouble") {
        // One in trouble stays so, whatever it tries next; one that was there may have been taken back.
        if (this.#outcomes.get(machineID)?.kind === "there") this.#outcomes.delete(machineID);
        continue;
      }
      if (verdict.kind === "in-trouble" && this.#outcomes.get(machineID)?.kind !== "in-trouble")
        found.push({ machineID, why: verdict.why });
      if (this.#outcomes.get(machineID)?.kind !== "in-trouble") this.#outcomes.set(machineID, verdict);
    }
    const reported = new Set(states.map(({ machineID }) => machineID));
    for (const machineID of this.#outcomes.keys()) if (!reported.has(machineID)) this.#outcomes.delete(machineID);
    return found;
  }

  /**
   * Whether all have settled.
   *
   * @param states what machines say of the unit
   * @param least on how many machines it has to be
   */
  areSettled(states: readonly StateInfo[], least: number): boolean {
    return this.#outcomes.size >= least && states.every(({ machineID }) => this.#outcomes.has(machineID));
  }
}

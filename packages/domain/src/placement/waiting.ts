import type { ClusterModel } from "./cluster-model.ts";
import { type Reason, reasonsAgainst } from "./explain.ts";
import { unfitText } from "./rules.ts";

/** Why a unit that is wanted is on no machine. */
export interface Waiting {
  readonly name: string;
  /** How many machines there are. */
  readonly machines: number;
  readonly reasons: readonly Reason[];
}

/** Why a unit waits; null where there is no such unit, or it does not wait. */
export function explainWaiting(model: ClusterModel, name: string): Waiting | null {
  const unit = model.units.get(name);
  if (unit === undefined || !unit.isWanted || unit.on !== null) return null;
  const ids = [...model.machineIDs].sort();
  const { reasons } = reasonsAgainst(ids, (id) => {
    const unfit = model.unfit(unit, id);
    return unfit === null ? "the unit fits, and is about to be placed" : unfitText(unfit);
  });
  return { name, machines: ids.length, reasons };
}

/** The same as a sentence. */
export function waitingText({ name, machines, reasons }: Waiting): string {
  if (machines === 0) return `unit ${name} is pending: there is no machine`;
  return `unit ${name} is pending: none of ${machines} machines fits: ${reasons.map(({ reason, machines: count }) => `${count}: ${reason}`).join("; ")}`;
}

import type { ClusterModel } from "./cluster-model.ts";
import { unfitText } from "./rules.ts";

/** Why a unit that is wanted is on no machine. */
export interface Waiting {
  readonly name: string;
  /** How many machines there are, and of how many each reason is true: machines that say the same count together. */
  readonly machines: number;
  readonly reasons: readonly { readonly reason: string; readonly machines: number }[];
}

/** Why a unit waits; null where there is no such unit, or it does not wait. */
export function explain(model: ClusterModel, name: string): Waiting | null {
  const unit = model.units.get(name);
  if (unit === undefined || !unit.isWanted || unit.record.machineID !== null) return null;
  const counts = new Map<string, number>();
  let machines = 0;
  for (const id of model.machineIDs) {
    machines++;
    const unfit = model.unfit(unit, id);
    const reason = unfit === null ? "it fits, and is about to be chosen" : unfitText(unfit);
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const reasons = [...counts].map(([reason, count]) => ({ reason, machines: count }));
  return { name, machines, reasons: reasons.sort((a, b) => b.machines - a.machines || (a.reason < b.reason ? -1 : 1)) };
}

/** The same as a sentence. */
export function explanation({ name, machines, reasons }: Waiting): string {
  if (machines === 0) return `unit ${name} waits: there is no machine`;
  return `unit ${name} fits none of ${machines} machines: ${reasons.map(({ reason, machines: count }) => `${count}: ${reason}`).join("; ")}`;
}

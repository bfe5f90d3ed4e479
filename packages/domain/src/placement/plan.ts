import type { WhereaboutsEvent } from "../whereabouts/change.ts";
import type { ClusterModel, ModelUnit } from "./cluster-model.ts";
import { type Unfit, unfitText } from "./rules.ts";

/** One change of where a unit is. `from` null: it was nowhere; `to` null: it goes nowhere. */
export interface Decision {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly reason: string;
}

/** What a decision does to where the unit is. */
export function eventOf({ to }: Decision): WhereaboutsEvent {
  return to === null ? { kind: "unplace" } : { kind: "place", on: to };
}

/** Why units are placed. */
export const CAUSES = {
  notWanted: "its desired state is inactive",
  global: "it is a global unit, which agents run by themselves",
  leastLoaded: "the machine fits and carries the fewest units",
  machineGone: (id: string) => `its machine ${id} is gone`,
  noLongerFits: (unfit: Unfit) => `its machine no longer fits: ${unfitText(unfit)}`,
} as const;

/**
 * Decides on one unit. The model is not changed.
 *
 * @returns null where it is as it should be, or where nothing can be done for it
 */
export function decide(model: ClusterModel, unit: ModelUnit): Decision | null {
  const { name, record, isWanted, on: machineID } = unit;
  const { whereabouts } = record;
  if (!isWanted) {
    if (machineID === null) return null;
    return { name, from: machineID, to: null, reason: record.global ? CAUSES.global : CAUSES.notWanted };
  }
  if (machineID === null) {
    // Its last machine has not let go of it yet: two copies would run at once.
    if (whereabouts.kind === "leaving") return null;
    const to = model.choose(unit);
    if (to === null) return null;
    // Freed to be moved here, and for what: that is what its users want to know.
    const isPreferred = whereabouts.kind === "nowhere" && to === whereabouts.preferred;
    const reason = isPreferred ? record.cause : null;
    return { name, from: null, to, reason: reason ?? CAUSES.leastLoaded };
  }
  const isGone = model.isGone(machineID);
  if (!isGone && model.machine(machineID) === null) return null;
  const unfit = isGone ? null : model.unfit(unit, machineID);
  if (!isGone && unfit === null) return null;
  const reason = unfit === null ? CAUSES.machineGone(machineID) : CAUSES.noLongerFits(unfit);
  return { name, from: machineID, to: model.choose(unit), reason };
}

/**
 * Decides on the units that may need it, and takes each decision into the model at once, so that the next one builds on
 * it. The same model always gives the same plan.
 *
 * @param isHeld units that a decision is already on its way for
 * @param most decisions to make before coming back; what is left stays dirty
 * @param mayGoOn asked before each unit: false ends the plan where it is
 */
export function plan(
  model: ClusterModel,
  most: number,
  isHeld: (name: string) => boolean = () => false,
  mayGoOn: () => boolean = () => true,
): readonly Decision[] {
  const decisions: Decision[] = [];
  const decided = new Set<string>();
  const again: string[] = [];
  while (decisions.length < most && mayGoOn()) {
    const name = model.takeDirty();
    if (name === null) break;
    // A unit is decided on once a plan: the next plan sees what etcd made of this one.
    if (decided.has(name)) again.push(name);
    const unit = isHeld(name) || decided.has(name) ? undefined : model.units.get(name);
    const decision = unit === undefined ? null : decide(model, unit);
    if (unit === undefined || decision === null) continue;
    decided.add(name);
    decisions.push(decision);
    model.assume(unit, eventOf(decision));
  }
  for (const name of again) model.markDirty(name);
  return decisions;
}

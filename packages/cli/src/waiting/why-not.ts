import type { ClusterClient, MachineInfo, Placement, StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { findStates, findUnits, machinesByID } from "../client/find.ts";
import { machineName, withNames } from "../printing/machine-text.ts";
import { troubleText } from "../printing/trouble-text.ts";
import { type Goal, judge } from "./verdict.ts";

/** Why more units than these are not there yet is not told. */
const MOST_TOLD = 3;

/** Why units are not where they should be, as a list of clauses; of many units, why the first few are not. */
export async function whyNot(client: ClusterClient, names: readonly string[], goal: Goal): Promise<string> {
  const told = names.slice(0, MOST_TOLD);
  const [units, states, machines] = await Promise.all([
    findUnits(client, told),
    findStates(client, told),
    machinesByID(client),
  ]);
  const reasons = await Promise.all(
    told.map(async (name) => {
      const unit = units.get(name);
      const own = states.filter((entry) => entry.name === name);
      const placement = isHomeless(unit) || isGlobalUnit(unit) ? await client.placement(name) : null;
      return reasonOf(name, unit, own, placement, goal, machines);
    }),
  );
  return reasons.join("; ") + (names.length > MOST_TOLD ? `; and ${names.length - MOST_TOLD} more` : "");
}

/**
 * Why one unit is not where it should be.
 *
 * @param unit absent: the cluster does not know it
 * @param states what machines say of it
 * @param placement of a global unit, or one that is on no machine: why; null: nobody can say
 */
export function reasonOf(
  name: string,
  unit: UnitInfo | undefined,
  states: readonly StateInfo[],
  placement: Placement | null,
  goal: Goal,
  machines: ReadonlyMap<string, MachineInfo>,
): string {
  const clauseOf = (state: StateInfo): string => `${name} is ${stateText(state, machines)}`;
  if (unit === undefined) return `${name} is unknown`;
  if (isGlobalUnit(unit)) {
    const late = states.filter((state) => judge(unit, state, goal).kind !== "there");
    if (late.length > 0) return late.slice(0, MOST_TOLD).map(clauseOf).join(", ");
    if (placement === null || goal.systemd !== "up") return `${name} does not run on all machines yet`;
    return `${name} runs on ${states.length} of ${placement.fitting} machines`;
  }
  const own = states.find(({ machineID }) => machineID === unit.machineID) ?? states[0];
  if (own?.error != null) return clauseOf(own);
  if (isHomeless(unit)) {
    const leaving = own === undefined ? "" : `, and ${stateText(own, machines)}`;
    const [most] = placement?.fitting === 0 ? placement.reasons : [];
    return `${name} is pending${leaving}${most === undefined ? "" : `: ${withNames(most.reason, machines)}`}`;
  }
  return own === undefined ? `${name} is ${unit.currentState}` : clauseOf(own);
}

/** How a unit does on a machine: `activating (start-pre) on h1: why not`. */
export function stateText(state: StateInfo, machines: ReadonlyMap<string, MachineInfo>): string {
  const trouble = troubleText(state);
  const where = machineName(state.machineID, machines);
  return `${state.active} (${state.sub}) on ${where}${trouble === null ? "" : `: ${withNames(trouble, machines)}`}`;
}

/** Whether a unit is wanted on a machine and on none. */
function isHomeless(unit: UnitInfo | undefined): boolean {
  return (
    unit !== undefined && unit.desiredState !== "inactive" && unit.machineID === null && unit.currentState !== null
  );
}

/** A global unit has no state of its own. */
function isGlobalUnit(unit: UnitInfo | undefined): boolean {
  return unit !== undefined && unit.currentState === null;
}

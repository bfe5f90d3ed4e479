import type { ClusterClient, Placement, StateInfo, UnitInfo } from "../client/cluster-client.ts";
import { findStates, findUnits } from "../client/find.ts";

/** Why more units than these are not there yet is not told. */
const MOST_TOLD = 3;

/** Why units are not where they should be, as a list of clauses; of many units, why the first few are not. */
export async function whyNot(client: ClusterClient, names: readonly string[]): Promise<string> {
  const [units, states] = await Promise.all([findUnits(client, names), findStates(client, names)]);
  const reasons = await Promise.all(
    names.slice(0, MOST_TOLD).map(async (name) => {
      const unit = units.get(name);
      const state = states.find((entry) => entry.name === name && entry.machineID === unit?.machineID);
      const placement = isHomeless(unit) && state?.error == null ? await client.placement(name) : null;
      return reasonOf(name, unit, state, placement);
    }),
  );
  return reasons.join("; ") + (names.length > MOST_TOLD ? `; and ${names.length - MOST_TOLD} more` : "");
}

/**
 * Why one unit is not where it should be.
 *
 * @param unit absent: the cluster does not know it
 * @param state what its machine says of it
 * @param placement of a unit that waits for a machine: why; null: nobody can say
 */
export function reasonOf(
  name: string,
  unit: UnitInfo | undefined,
  state: StateInfo | undefined,
  placement: Placement | null,
): string {
  if (state?.error != null) return `${name}: ${state.error}`;
  if (isHomeless(unit)) {
    const reason = placement?.fitting === 0 ? placement.reasons[0]?.reason : undefined;
    return `${name} is on no machine yet${reason === undefined ? "" : `: ${reason}`}`;
  }
  return `${name} is ${unit?.currentState ?? "unknown"}${state === undefined ? "" : `, ${state.active} (${state.sub})`}`;
}

/** Whether a unit is wanted on a machine and on none. */
function isHomeless(unit: UnitInfo | undefined): boolean {
  return unit !== undefined && unit.desiredState !== "inactive" && unit.machineID === null;
}

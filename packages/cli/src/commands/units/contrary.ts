import { conditionOf, hashUnitFile } from "@fleet/domain/unit";
import type { StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import type { Goal } from "../../waiting/verdict.ts";

/**
 * Whether fleet has done with a scheduled unit what the goal says, and systemd says the contrary since. That of a oneshot
 * that has ended is to run it once more.
 *
 * @param unit absent: it is not in the cluster
 * @param states what machines say of units, of others too
 */
export function isContrary(unit: UnitInfo | undefined, states: readonly StateInfo[], goal: Goal): boolean {
  if (unit === undefined || unit.machineID === null) return false;
  if (unit.hasEnded && goal.systemd === "up") return true;
  if (unit.currentState !== goal.state) return false;
  const state = states.find(({ name, machineID }) => name === unit.name && machineID === unit.machineID);
  // With an error its agent is at it.
  if (state === undefined || state.error !== null || state.hash !== hashUnitFile(unit.options)) return false;
  const condition = conditionOf(state);
  if (goal.systemd === "up") return condition === "failed" || condition === "at-rest";
  return goal.systemd === "stopped" && (condition === "up" || condition === "retrying");
}

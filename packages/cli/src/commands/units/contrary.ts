import { conditionOf, hashUnitFile, isOneshot } from "@fleet/domain/unit";
import type { StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import { isGlobal } from "../../targets/units.ts";
import type { Goal } from "../../waiting/verdict.ts";

/** Copies of which systemd says the contrary of what fleet has done with them. */
export interface Contrary {
  /** IDs of their machines; a oneshot that has ended may be on none. */
  readonly machineIDs: readonly string[];
  /** True: the unit has other copies, of which systemd says what it should. */
  readonly isPartial: boolean;
}

/**
 * Whether fleet has done with a unit what the goal says, and systemd says the contrary since. That of a oneshot that has
 * ended is to run it once more.
 *
 * @param unit absent: it is not in the cluster
 * @param states what machines say of units, of others too
 * @returns null: systemd says what it should, or it is not known
 */
export function contraryOf(unit: UnitInfo | undefined, states: readonly StateInfo[], goal: Goal): Contrary | null {
  if (unit === undefined) return null;
  const hash = hashUnitFile(unit.options);
  const own = states.filter((state) => state.name === unit.name && state.hash === hash);
  if (isGlobal(unit)) return contraryCopies(unit, own, goal);
  if (unit.machineID === null) return null;
  const { machineID } = unit;
  const contrary: Contrary = { machineIDs: [machineID], isPartial: false };
  if (unit.hasEnded && goal.systemd === "up") return contrary;
  const isHere = own.some((state) => state.machineID === machineID && isContrary(state, goal));
  return unit.currentState === goal.state && isHere ? contrary : null;
}

function contraryCopies(unit: UnitInfo, states: readonly StateInfo[], goal: Goal): Contrary | null {
  const copies = states.filter(({ current }) => current === goal.state);
  const contrary = copies.filter((state) => isContrary(state, goal));
  if (contrary.length === 0) return null;
  const isPartial = contrary.length < states.length;
  // Where a oneshot runs on some machines only, it has ended on the others.
  const isMeant = isPartial && isOneshot(unit.name, unit.options) && contrary.every(isAtRest);
  return isMeant ? null : { machineIDs: contrary.map(({ machineID }) => machineID), isPartial };
}

function isContrary(state: StateInfo, { systemd }: Goal): boolean {
  // With an error its agent is at it.
  if (state.error !== null) return false;
  const condition = conditionOf(state);
  if (systemd === "up") return condition === "failed" || condition === "at-rest";
  return systemd === "stopped" && (condition === "up" || condition === "retrying");
}

function isAtRest(state: StateInfo): boolean {
  return conditionOf(state) === "at-rest";
}

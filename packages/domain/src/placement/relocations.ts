import type { ClusterState } from "../cluster/state.ts";
import type { ClusterModel } from "./cluster-model.ts";

/** A unit that is to leave its machine because somebody asked for it. */
export interface Relocation {
  readonly unit: string;
  readonly from: string;
  /** Where it is best to go; null: wherever it fits. */
  readonly wish: string | null;
  /** What it belongs to: of each so many may be on their way at a time. */
  readonly group: string;
  readonly reason: string;
}

/**
 * Requests for moves that nothing is to be done about any more: the unit is there already, or is on no machine, as after
 * it was destroyed or stopped, and not on its way to one either. Whoever waits for them must see them go.
 */
export function staleMoves(
  model: ClusterModel,
  state: ClusterState,
  busy: ReadonlyMap<string, Relocation>,
): readonly string[] {
  const stale = [...state.moves].filter(([name, { to }]) => {
    const { machineID, leaving } = model.units.get(name)?.record ?? { machineID: null, leaving: null };
    return !busy.has(name) && leaving === null && (machineID === null || machineID === to);
  });
  return stale.map(([name]) => name).sort();
}

/**
 * Which units are to be set in motion now: of each machine that is drained one after the other, of those that a rebalance
 * moves as many as its limit allows; by name. The same state always gives the same answer.
 *
 * @param busy units that are on their way
 * @param isResting units that could not be moved lately
 * @param triedAt when a unit could last not be moved; those that were not tried yet come first
 */
export function relocationsOf(
  model: ClusterModel,
  state: ClusterState,
  busy: ReadonlyMap<string, Relocation>,
  isResting: (unit: string) => boolean,
  triedAt: (unit: string) => number = () => 0,
): readonly Relocation[] {
  const due: Relocation[] = [];
  const underway = new Map<string, number>();
  for (const { group } of busy.values()) underway.set(group, (underway.get(group) ?? 0) + 1);
  const add = (relocation: Relocation, limit: number): void => {
    const { unit, group } = relocation;
    const count = underway.get(group) ?? 0;
    if (count >= limit || busy.has(unit) || due.some((other) => other.unit === unit) || isResting(unit)) return;
    underway.set(group, count + 1);
    due.push(relocation);
  };
  for (const unit of model.moving) {
    const { machineID, movingTo } = model.units.get(unit)?.record ?? { machineID: null, movingTo: null };
    if (machineID === null || busy.has(unit)) continue;
    add({ unit, from: machineID, wish: movingTo, group: `unfinished ${unit}`, reason: "its move is finished" }, 1);
  }
  for (const unit of model.leaving) {
    const { leaving, wish } = model.units.get(unit)?.record ?? { leaving: null, wish: null };
    if (leaving === null) continue;
    add({ unit, from: leaving, wish, group: `unfinished ${unit}`, reason: "its move is finished" }, 1);
  }
  for (const id of model.draining) {
    const inTurn = [...model.unitsOn(id)].sort((a, b) => triedAt(a) - triedAt(b));
    for (const unit of inTurn) {
      // One that is still on its way here turns back, or goes on, once it has arrived.
      if (model.units.get(unit)?.record.machineID !== id) continue;
      // A follower goes when what it follows goes.
      if ((model.units.get(unit)?.requirements.machineOf.length ?? 0) > 0) continue;
      add({ unit, from: id, wish: null, group: `drain ${id}`, reason: `its machine ${id} is being drained` }, 1);
    }
  }
  for (const [unit, { to, limit, reason }] of [...state.moves].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const from = model.units.get(unit)?.record.machineID ?? null;
    if (from === null || from === to) continue;
    add({ unit, from, wish: to, group: "rebalance", reason: `rebalanced: ${reason}` }, limit);
  }
  return due;
}

import type { ClusterState } from "../cluster/state.ts";
import type { ClusterModel } from "./cluster-model.ts";

/** A unit that is to leave its machine because somebody asked for it. */
export interface Relocation {
  readonly unit: string;
  readonly from: string;
  /** Where it is best to go; null: wherever it fits. */
  readonly preferred: string | null;
  /** What it belongs to: of each so many may be on their way at a time. */
  readonly group: string;
  readonly reason: string;
}

/** What is known of moves beside the cluster's state. */
export interface MoveActivity {
  /** Units that are on their way. */
  readonly busy: ReadonlyMap<string, Pick<Relocation, "group">>;
  /** Whether a unit could not be moved lately, and is left alone for a while. */
  readonly isResting: (unit: string) => boolean;
  /** When a unit could last not be moved: those that were not tried yet come first. */
  readonly triedAt: (unit: string) => number;
}

/**
 * Requests for moves that nothing is to be done about any more: the unit is there already, or is on no machine, as after
 * it was destroyed or stopped, and not on its way to one either. Whoever waits for them must see them go.
 */
export function staleMoves(
  model: ClusterModel,
  state: ClusterState,
  busy: ReadonlyMap<string, unknown>,
): readonly string[] {
  const stale = [...state.moves].filter(([name, { to }]) => {
    const unit = model.units.get(name);
    if (busy.has(name) || unit?.record.whereabouts.kind === "leaving") return false;
    return unit === undefined || unit.on === null || unit.on === to;
  });
  return stale.map(([name]) => name).sort();
}

/**
 * Which units are to be set in motion now: of each machine that is drained one after the other, of those that a rebalance
 * moves as many as its limit allows; by name. The same state always gives the same answer.
 */
export function relocationsOf(model: ClusterModel, state: ClusterState, activity: MoveActivity): readonly Relocation[] {
  const due: Relocation[] = [];
  const counts = new Map<string, number>();
  for (const { group } of activity.busy.values()) counts.set(group, (counts.get(group) ?? 0) + 1);
  const taken = new Set(activity.busy.keys());
  const wanted = [
    ...unfinished(model).map((relocation) => ({ relocation, limit: 1 })),
    ...drained(model, activity).map((relocation) => ({ relocation, limit: 1 })),
    ...requested(model, state),
  ];
  for (const { relocation, limit } of wanted) {
    const { unit, group } = relocation;
    const count = counts.get(group) ?? 0;
    if (count >= limit || taken.has(unit) || activity.isResting(unit)) continue;
    counts.set(group, count + 1);
    taken.add(unit);
    due.push(relocation);
  }
  return due;
}

/** Units that an earlier engine, or an earlier look, has set in motion: their records say how far they are. */
function unfinished(model: ClusterModel): readonly Relocation[] {
  return [...model.moving, ...model.leaving].flatMap((unit) => {
    const whereabouts = model.units.get(unit)?.record.whereabouts;
    const about = { unit, group: `unfinished ${unit}`, reason: "its move is finished" };
    if (whereabouts?.kind === "moving") return [{ ...about, from: whereabouts.on, preferred: whereabouts.to }];
    if (whereabouts?.kind === "leaving")
      return [{ ...about, from: whereabouts.from, preferred: whereabouts.preferred }];
    return [];
  });
}

function drained(model: ClusterModel, { triedAt }: MoveActivity): readonly Relocation[] {
  return model.draining.flatMap((id) => {
    const inTurn = [...model.unitsOn(id)].sort((a, b) => triedAt(a) - triedAt(b));
    return inTurn.flatMap((name) => {
      const unit = model.units.get(name);
      // One that is still on its way here turns back, or goes on, once it has arrived; a follower goes when what it follows
      // goes.
      if (unit === undefined || unit.on !== id || unit.requirements.machineOf.length > 0) return [];
      const reason = `its machine ${id} is being drained`;
      return [{ unit: name, from: id, preferred: null, group: `drain ${id}`, reason }];
    });
  });
}

function requested(
  model: ClusterModel,
  state: ClusterState,
): readonly { readonly relocation: Relocation; readonly limit: number }[] {
  const moves = [...state.moves].sort(([a], [b]) => (a < b ? -1 : 1));
  return moves.flatMap(([unit, { to, limit, reason }]) => {
    const from = model.units.get(unit)?.on ?? null;
    if (from === null || from === to) return [];
    return [{ relocation: { unit, from, preferred: to, group: "rebalance", reason: `rebalanced: ${reason}` }, limit }];
  });
}

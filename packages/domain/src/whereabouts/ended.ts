import type { Keys } from "../cluster/keys.ts";
import type { Compare } from "../cluster/op.ts";
import type { UnitRecord } from "../cluster/records.ts";
import type { ClusterState } from "../cluster/state.ts";
import type { Requirements } from "../unit/requirements.ts";
import { change, type WhereaboutsEvent } from "./change.ts";
import { scheduledTo } from "./whereabouts.ts";

/** Whether a unit is a oneshot that has ended well where it is, and is not to be run again elsewhere. */
export function hasEnded(
  state: Pick<ClusterState, "ended">,
  name: string,
  { hash, whereabouts }: UnitRecord,
  { rerun, global }: Pick<Requirements, "rerun" | "global">,
): boolean {
  const on = scheduledTo(whereabouts);
  return !rerun && !global && on !== null && state.ended.get(name)?.get(on)?.hash === hash;
}

/**
 * What must hold of a unit that leaves its machine: nothing was noted there of its end that is not known here. Notes and
 * records come by different watches. Null: there is nothing to be noted, or what is noted can't be read.
 */
export function sameEnd(
  keys: Keys,
  state: Pick<ClusterState, "ended" | "isUnreadable">,
  name: string,
  { whereabouts, desiredState }: UnitRecord,
): Compare | null {
  const on = scheduledTo(whereabouts);
  if (on === null || desiredState !== "launched" || state.isUnreadable("ended", on, name)) return null;
  return { key: keys.ended(on, name), modRevision: state.ended.get(name)?.get(on)?.modRevision ?? 0 };
}

/**
 * A unit's record after something happened to where it is.
 *
 * @param isEnded hasEnded() before that: once it leaves its machine its record says so, for nobody else will know
 * @throws ImpossibleChangeError
 */
export function recordAfter(record: UnitRecord, event: WhereaboutsEvent, isEnded: boolean): UnitRecord {
  const whereabouts = change(record.whereabouts, event);
  const leaves = whereabouts.kind === "moving" || scheduledTo(whereabouts) !== scheduledTo(record.whereabouts);
  return { ...record, whereabouts, ...(isEnded && leaves ? { ended: true } : {}) };
}

/** Notes of oneshots that have ended which say nothing any more: the unit is gone, is another version, or is elsewhere. */
export function staleEnded(
  state: Pick<ClusterState, "ended" | "units" | "isUnreadable">,
): readonly { readonly machineID: string; readonly name: string; readonly modRevision: number }[] {
  const stale = [...state.ended].flatMap(([name, byMachine]) => {
    if (state.isUnreadable("unit", name)) return [];
    const record = state.units.get(name);
    return [...byMachine].flatMap(([machineID, { hash, modRevision }]) => {
      const counts = record !== undefined && record.hash === hash && scheduledTo(record.whereabouts) === machineID;
      return counts ? [] : [{ machineID, name, modRevision }];
    });
  });
  return stale.sort((a, b) => (a.name < b.name || (a.name === b.name && a.machineID < b.machineID) ? -1 : 1));
}

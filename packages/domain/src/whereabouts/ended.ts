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
): readonly { readonly machineID: string; readonly name: string }[] {
  const stale = [...state.ended].flatMap(([name, byMachine]) => {
    if (state.isUnreadable("unit", name)) return [];
    const record = state.units.get(name);
    return [...byMachine].flatMap(([machineID, { hash }]) => {
      const counts = record !== undefined && record.hash === hash && scheduledTo(record.whereabouts) === machineID;
      return counts ? [] : [{ machineID, name }];
    });
  });
  return stale.sort((a, b) => (a.name < b.name || (a.name === b.name && a.machineID < b.machineID) ? -1 : 1));
}

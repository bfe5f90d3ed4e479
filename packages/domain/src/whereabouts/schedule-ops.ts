import type { Keys } from "../cluster/keys.ts";
import type { Op } from "../cluster/op.ts";
import { encodeSchedule, encodeUnit, type UnitRecord } from "../cluster/records.ts";
import { placesOf } from "./whereabouts.ts";

/**
 * What agents are to be told when a unit's record changes: the one author of `schedule/` and `global/` entries. Goes into
 * the transaction that writes the record.
 *
 * @param before null: there was no such unit
 * @param after null: it is destroyed
 */
export function scheduleOps(keys: Keys, name: string, before: UnitRecord | null, after: UnitRecord | null): Op[] {
  const stale = before === null ? NO_ENTRIES : entriesOf(keys, name, before);
  const wanted = after === null ? NO_ENTRIES : entriesOf(keys, name, after);
  const ops: Op[] = [];
  for (const [key, value] of wanted) if (stale.get(key) !== value) ops.push({ put: key, value });
  for (const key of stale.keys()) if (!wanted.has(key)) ops.push({ delete: key });
  return ops;
}

/** Writes a unit's record, and what agents are to do about it. */
export function recordOps(keys: Keys, name: string, before: UnitRecord | null, after: UnitRecord): Op[] {
  return [{ put: keys.unit(name), value: encodeUnit(after) }, ...scheduleOps(keys, name, before, after)];
}

const NO_ENTRIES: ReadonlyMap<string, string> = new Map();

/** The entries that go with a record. A unit that is inactive has none, wherever its record says it is. */
function entriesOf(keys: Keys, name: string, record: UnitRecord): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  const value = encodeSchedule(record);
  const isWanted = record.desiredState !== "inactive";
  if (record.global && isWanted) entries.set(keys.global(name), value);
  if (!record.global && isWanted)
    for (const id of placesOf(record.whereabouts)) entries.set(keys.schedule(id, name), value);
  return entries;
}

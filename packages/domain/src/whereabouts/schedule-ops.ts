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
  const named = before === null ? NO_KEYS : keysNamedBy(keys, name, before);
  const wanted = after === null ? NO_KEYS : keysWantedBy(keys, name, after);
  const ops: Op[] = [];
  if (after !== null && wanted.length > 0) {
    const value = entryOf(after);
    const told = before !== null && entryOf(before) === value ? keysWantedBy(keys, name, before) : NO_KEYS;
    for (const key of wanted) if (!told.includes(key)) ops.push({ put: key, value });
  }
  for (const key of named) if (!wanted.includes(key)) ops.push({ delete: key });
  return ops;
}

/** Writes a unit's record, and what agents are to do about it. */
export function recordOps(keys: Keys, name: string, before: UnitRecord | null, after: UnitRecord): Op[] {
  return [{ put: keys.unit(name), value: encodeUnit(after) }, ...scheduleOps(keys, name, before, after)];
}

const NO_KEYS: readonly string[] = [];

/** The entries that go with a record. A unit that is inactive has none, wherever its record says it is. */
function keysWantedBy(keys: Keys, name: string, record: UnitRecord): readonly string[] {
  if (record.desiredState === "inactive") return NO_KEYS;
  return record.global ? [keys.global(name)] : scheduleKeys(keys, name, record);
}

/** What a machine is told. A oneshot that has ended is there for those who need it, such as its timer, and not started. */
function entryOf({ hash, desiredState, ended }: UnitRecord): string {
  return encodeSchedule({
    hash,
    desiredState: desiredState === "launched" && ended === true ? "loaded" : desiredState,
  });
}

/** Every entry that may be there: a record by another hand may name a machine for a unit that is inactive, or global. */
function keysNamedBy(keys: Keys, name: string, record: UnitRecord): readonly string[] {
  const scheduled = scheduleKeys(keys, name, record);
  return record.global ? [keys.global(name), ...scheduled] : scheduled;
}

function scheduleKeys(keys: Keys, name: string, { whereabouts }: UnitRecord): readonly string[] {
  return placesOf(whereabouts).map((id) => keys.schedule(id, name));
}

import type { Metadata } from "@fleet/config";
import { globMatches } from "../unit/glob.ts";
import { placesOf } from "../whereabouts/whereabouts.ts";
import { meets } from "./metadata-fit.ts";
import type { Occupancy, Occupant } from "./occupancy.ts";

/**
 * How a machine that fits compares with others for a unit with preferences: the lower the better, the first first.
 * `unmet`: preferences that it does not meet; `spread`: units of its kind that share the value which it is spread over;
 * `apart`: units there that it is to be apart from.
 */
export type Score = readonly [unmet: number, spread: number, apart: number, load: number];

/** What a score is made of beside the unit and the machine. */
export interface ScoreView {
  readonly occupancy: Occupancy;
  /** Undefined: the machine is gone. */
  readonly metadataOf: (machineID: string) => Metadata | undefined;
}

/** The score of a machine for a unit. A unit without preferences minds the load only. */
export function scoreOf(unit: Occupant, machineID: string, load: number, view: ScoreView): Score {
  const { preferences } = unit.requirements;
  const metadata = view.metadataOf(machineID);
  if (preferences === null || metadata === undefined) return [0, 0, 0, load];
  const isHere = placesOf(unit.record.whereabouts).includes(machineID);
  const unmet = preferences.metadata.filter((test) => !meets(test, metadata)).length;
  const apart = preferences.apart.reduce((sum, glob) => {
    const self = isHere && globMatches(glob, unit.name) ? 1 : 0;
    return sum + view.occupancy.matchedOn(machineID, glob) - self;
  }, 0);
  return [unmet, spreadOver(unit, metadata, view), apart, load];
}

/** Below 0: the first is better; 0: they are equal. */
export function compareScores(one: Score, other: Score): number {
  const index = one.findIndex((value, place) => value !== other[place]);
  return index < 0 ? 0 : (one[index] ?? 0) - (other[index] ?? 0);
}

function spreadOver(unit: Occupant, metadata: Metadata, { occupancy, metadataOf }: ScoreView): number {
  const key = unit.requirements.preferences?.spread ?? null;
  if (key === null) return 0;
  const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  if (value === undefined) return Number.MAX_SAFE_INTEGER;
  const own = placesOf(unit.record.whereabouts);
  let count = 0;
  for (const [id, units] of occupancy.spreadWith(unit.name)) {
    const other = metadataOf(id);
    if (other !== undefined && Object.hasOwn(other, key) && other[key] === value)
      count += units - (own.includes(id) ? 1 : 0);
  }
  return count;
}

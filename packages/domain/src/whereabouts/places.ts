import type { UnitRecord } from "../cluster/records.ts";

/** The machines that a unit takes its place on: its own, and the one that it is being moved to. */
export function placesOf({ machineID, movingTo }: Pick<UnitRecord, "machineID" | "movingTo">): readonly string[] {
  if (machineID === null) return NOWHERE;
  return movingTo === null || movingTo === machineID ? [machineID] : [machineID, movingTo];
}

const NOWHERE: readonly string[] = [];

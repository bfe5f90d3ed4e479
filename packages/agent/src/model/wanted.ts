import { type ClusterState, mergeMetadata } from "@fleet/domain/cluster";
import { type GlobalUnit, globalsOn } from "@fleet/domain/placement";
import type { Requirements } from "@fleet/domain/unit";
import type { WantedUnit } from "./next-task.ts";

/** What this machine is to run, and what can't be told. */
export interface Wanted {
  readonly units: ReadonlyMap<string, WantedUnit>;
  /** Units whose file or record could not be read: they are left as they are. */
  readonly unclear: ReadonlySet<string>;
}

/**
 * What is scheduled to a machine, plus the global units that fit it.
 *
 * @param requirementsOf what a unit's file, by its hash, asks for; null where it is not at hand or can't be read
 * @param malformed names of units of which the registry holds records that can't be read
 */
export function wantedOn(
  machineID: string,
  configured: Readonly<Record<string, string>>,
  state: ClusterState,
  requirementsOf: (name: string, hash: string) => Requirements | null,
  malformed: ReadonlySet<string>,
): Wanted {
  const units = new Map<string, WantedUnit>();
  const unclear = new Set<string>(malformed);
  const scheduled: { name: string; requirements: Requirements }[] = [];
  for (const [name, { hash, desiredState }] of state.schedule.get(machineID) ?? []) {
    if (desiredState === "inactive") continue;
    const requirements = requirementsOf(name, hash);
    if (requirements === null) {
      unclear.add(name);
      continue;
    }
    scheduled.push({ name, requirements });
    units.set(name, { name, hash, desiredState, stopsOnPartition: requirements.onPartition === "stop" });
  }
  const globals: GlobalUnit[] = [];
  for (const [name, { hash, createRevision }] of state.globals) {
    const requirements = requirementsOf(name, hash);
    if (requirements === null) unclear.add(name);
    else globals.push({ name, requirements, createRevision });
  }
  const metadata = mergeMetadata(configured, state.machineMetadata.get(machineID));
  for (const { name, requirements } of globalsOn(globals, metadata, scheduled)) {
    const record = state.globals.get(name);
    if (record === undefined || record.desiredState === "inactive" || units.has(name)) continue;
    const { hash, desiredState } = record;
    units.set(name, { name, hash, desiredState, stopsOnPartition: requirements.onPartition === "stop" });
  }
  return { units, unclear };
}

/** Every hash of a unit file that the decision needs. */
export function neededHashes(machineID: string, state: ClusterState): readonly string[] {
  const scheduled = [...(state.schedule.get(machineID)?.values() ?? [])];
  return [...scheduled, ...state.globals.values()].map(({ hash }) => hash);
}

import type { RunResult } from "../unit/run-result.ts";
import type { DesiredState, SystemdStates } from "../unit/states.ts";
import { scheduledTo } from "../whereabouts/whereabouts.ts";
import { type Machine, mergeMetadata, shortMachineID } from "./machine.ts";
import type { CordonRecord } from "./records.ts";
import type { ClusterState } from "./state.ts";

/** A unit as the cluster sees it. */
export interface Unit {
  readonly name: string;
  /** SHA-1 of its file, 40 hex digits. */
  readonly hash: string;
  readonly desiredState: DesiredState;
  /** What its machine last reported; `inactive` until the machine that it is scheduled to reports this version of it. */
  readonly currentState: DesiredState;
  /** Where it is scheduled; null: nowhere, or a global unit. */
  readonly machineID: string | null;
  readonly global: boolean;
}

/** What one machine says of one unit. */
export interface UnitState {
  readonly name: string;
  readonly machineID: string;
  /** SHA-1 of the file that the machine has. */
  readonly hash: string;
  readonly systemd: SystemdStates;
  /** What fleet has done with it there. */
  readonly current: DesiredState;
  /** Why fleet could not do there what was wanted; null where it could. */
  readonly error: string | null;
  /** How its last run ended; null: nothing to tell. */
  readonly run: RunResult | null;
  /** The registry has no record of the unit, and nobody has destroyed it: it is left as it is. */
  readonly unknown: boolean;
}

/** One unit of a mirrored registry; null where there is none. */
export function unitOf(state: ClusterState, name: string): Unit | null {
  const record = state.units.get(name);
  if (record === undefined) return null;
  const { hash, desiredState, global } = record;
  const machineID = scheduledTo(record.whereabouts);
  const reported = machineID === null ? undefined : state.states.get(name)?.get(machineID);
  const currentState = reported?.hash === hash ? reported.current : "inactive";
  return { name, hash, desiredState, currentState, machineID, global };
}

/** What every machine says of a unit, sorted by machine ID. */
export function unitStatesOf(state: ClusterState, name: string): readonly UnitState[] {
  const byMachine = state.states.get(name);
  if (byMachine === undefined) return [];
  return [...byMachine]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([machineID, record]) => {
      const { hash, systemd, current, error, run = null, unknown = false } = record;
      return { name, machineID, hash, systemd, current, error, run, unknown };
    });
}

/**
 * The machines, by ID, that have a unit of which the registry has no record, and which nobody has destroyed. None where it
 * has one: a machine may not have heard of that yet.
 */
export function unknownOn(state: ClusterState, name: string): readonly string[] {
  if (state.units.has(name) || state.isUnreadable("unit", name)) return [];
  return unitStatesOf(state, name).flatMap(({ machineID, unknown }) => (unknown ? [machineID] : []));
}

/** A machine that says something of a unit, wherever the registry has it, as one that is stopping it; null: none does. */
export function holderOf(state: ClusterState, name: string): string | null {
  const told = unitStatesOf(state, name).find(({ machineID, unknown }) => !unknown && state.machines.has(machineID));
  return told?.machineID ?? null;
}

/** Whether a machine is to get nothing new; null: it is not. A cordon that can't be read is one that moves nothing away. */
export function cordonOf(state: ClusterState, machineID: string): CordonRecord | null {
  return state.cordons.get(machineID) ?? (state.isUnreadable("cordon", machineID) ? UNREADABLE_CORDON : null);
}

const UNREADABLE_CORDON: CordonRecord = { drain: false, since: "" };

/** One machine of a mirrored registry with its dynamic metadata laid over; null where there is none. */
export function machineOf(state: ClusterState, id: string): Machine | null {
  const record = state.machines.get(id);
  if (record === undefined) return null;
  const { primaryIP, metadata, version, hostname } = record;
  const merged = mergeMetadata(metadata, state.machineMetadata.get(id));
  return { id, primaryIP, version, metadata: merged, ...(hostname === undefined ? {} : { hostname }) };
}

/** A machine as people know it: its host name, or else the short form of its ID. */
export function machineName(state: ClusterState, id: string): string {
  return state.machines.get(id)?.hostname ?? shortMachineID(id);
}

/** A machine that has been here, is not now, and is not forgotten. */
export interface LostMachine {
  readonly id: string;
  readonly primaryIP: string;
  readonly hostname?: string;
  /** Since when, ISO 8601; null: no engine has seen it go. */
  readonly since: string | null;
  /** Until when its units stay where they are, ISO 8601: it vanished right after etcd's own silence; null: they don't. */
  readonly heldUntil: string | null;
}

/** Machines that are lost, by ID. One whose record can't be read is there. */
export function lostMachines(state: ClusterState): readonly LostMachine[] {
  return [...state.knownMachines]
    .filter(([id]) => !state.machines.has(id) && !state.isUnreadable("machine", id))
    .map(([id, { primaryIP, hostname, lostSince, heldUntil = null }]) => ({
      ...{ id, primaryIP, since: lostSince, heldUntil },
      ...(hostname === undefined ? {} : { hostname }),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

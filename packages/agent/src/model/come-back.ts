import type { UnitRecord, Versioned } from "@fleet/domain/cluster";
import { placesOf, scheduledTo } from "@fleet/domain/whereabouts";

/** A machine on its way back into the registry, or just back. */
export interface ReturningMachine {
  readonly id: string;
  /** Whether it is certainly in the registry. */
  readonly isSure: boolean;
  /** The etcd revision at which it last entered. */
  readonly enteredAt: number;
}

/**
 * Whether a unit that runs on a machine and is not scheduled to it may be given back to it: the loss of its lease took it
 * off, and nobody else has it. Such a unit is left running until the engine has had its say.
 *
 * @param record what etcd says of the unit; undefined: it is not there
 */
export function mayComeBack(record: Versioned<UnitRecord> | undefined, machine: ReturningMachine): boolean {
  if (record === undefined || record.desiredState === "inactive") return false;
  // Taken off it on purpose: it is to go before it may be anywhere else.
  const { whereabouts } = record;
  if (whereabouts.kind === "leaving" && whereabouts.from === machine.id) return false;
  // Given back to this machine: the schedule's copy here is only behind.
  if (scheduledTo(whereabouts) !== null) return placesOf(whereabouts).includes(machine.id);
  // What was taken off it since it is back is meant so.
  return !machine.isSure || record.modRevision <= machine.enteredAt;
}

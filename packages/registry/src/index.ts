/**
 * The registry of a fleet cluster: its storage in etcd, and of the domain what tools need of it. See docs/registry.md for
 * units, errors and consistency.
 */

export {
  type Change,
  type ClusterEvent,
  ClusterState,
  type Compare,
  type CordonRecord,
  checkUnit,
  eventsOf,
  type KeptVersion,
  type KeyRange,
  Keys,
  type KeyValue,
  type KnownUnit,
  type LeaderRecord,
  type LostMachine,
  lostMachines,
  type Machine,
  type MachineRecord,
  type MetadataChange,
  type MoveRecord,
  machineOf,
  type Op,
  type ParsedKey,
  RegistryError,
  type RegistryErrorCode,
  type ScheduleRecord,
  type StateRecord,
  type Unit,
  type UnitChange,
  type UnitOutcome,
  type UnitRecord,
  type UnitState,
  unitOf,
  unitStatesOf,
  unknownOn,
  type Versioned,
} from "@fleet/domain/cluster";
export { conflicts, type GlobalUnit, globalsOn, metadataFits, type Neighbour } from "@fleet/domain/placement";
export {
  checkRequirements,
  type DesiredState,
  expandUnitName,
  type Finding,
  hashUnitFile,
  InvalidUnitError,
  lintUnitFile,
  type MetadataBound,
  type Preferences,
  parseUnitFile,
  parseUnitName,
  type Requirements,
  readRequirements,
  type SystemdStates,
  serializeUnitFile,
  UnitFileError,
  type UnitName,
  type UnitOption,
  unitNameProblem,
} from "@fleet/domain/unit";
export { scheduledTo, type Whereabouts } from "@fleet/domain/whereabouts";
export { changeMetadata } from "./store/dynamic-metadata.ts";
export { Leadership } from "./store/election.ts";
export type { Etcd, RangeOptions, RangePage, TxnResult, WatchBatch, WatchEvent } from "./store/etcd.ts";
export { type AskedAt, EtcdHistory, type EtcdPosition } from "./store/etcd-history.ts";
export { type EtcdSpace, readSpace } from "./store/etcd-space.ts";
export { Etcd3Client } from "./store/etcd3-client.ts";
export { deletionNote } from "./store/guarded-writes.ts";
export { Lease, type LeaseOptions } from "./store/lease.ts";
export { MachineRegistration, type StateUpdate } from "./store/machine-registration.ts";
export { cordonMachine, forgetMachine, requestMoves, uncordonMachine } from "./store/maintenance.ts";
export { type ChangeListener, Mirror, type MirrorOptions, type ReadAnew } from "./store/mirror.ts";
export { ObservedEtcd, type OperationObserver } from "./store/observed-etcd.ts";
export { changesBetween } from "./store/past-changes.ts";
export { DEFAULT_MOST_MOVES, planMoves, requestRebalance } from "./store/rebalance.ts";
export { type MirrorSettings, Registry } from "./store/registry.ts";
export { createRoll, type KeptRoll, keptRolls, orderRoll } from "./store/rolls.ts";
export type { UnitHistory } from "./store/unit-versions.ts";
export {
  type BringFile,
  type ChangeAuthor,
  type KnownUnits,
  readUnit,
  type UnitResult,
  UnitWriter,
} from "./store/unit-writer.ts";
export { destroyUnknown } from "./store/unknown-units.ts";

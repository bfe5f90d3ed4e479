/**
 * The registry of a fleet cluster: the domain (unit files, names, requirements, machines, states) and its storage in
 * etcd. See docs/registry.md for units, errors and consistency.
 */

export { backoff } from "./loop/backoff.ts";
export { type Failpoint, failpoint } from "./loop/failpoint.ts";
export { ReconcileLoop, type ReconcileLoopOptions } from "./loop/reconcile-loop.ts";
export { SaidOnce } from "./loop/said-once.ts";
export { InvalidUnitError, UnitFileError } from "./model/errors.ts";
export {
  conflicts,
  type GlobalUnit,
  globalsOn,
  meets,
  metadataFits,
  type Neighbour,
  unmetMetadata,
} from "./model/fit.ts";
export { globMatches, isGlob } from "./model/glob.ts";
export { type Finding, lintUnitFile } from "./model/lint.ts";
export { type Machine, matchesMachineID, mergeMetadata, shortMachineID } from "./model/machine.ts";
export { type PlacedUnit, pushes, type Surroundings, type Unfit, unfitOn, unfitText } from "./model/placement.ts";
export {
  checkRequirements,
  type MetadataBound,
  type Preferences,
  type Requirements,
  readRequirements,
  sameRequirements,
  unknownFleetOptions,
} from "./model/requirements.ts";
export { RequirementsCache } from "./model/requirements-cache.ts";
export { type CurrentState, type DesiredState, isDesiredState, type SystemdStates } from "./model/states.ts";
export {
  hashText,
  hashUnitFile,
  invalidOption,
  LINE_LIMIT,
  parseUnitFile,
  serializeUnitFile,
  type UnitOption,
} from "./model/unit-file.ts";
export {
  expandUnitName,
  isTemplateName,
  parseUnitName,
  UNIT_TYPES,
  type UnitName,
  unitNameProblem,
} from "./model/unit-name.ts";
export {
  type ClusterEvent,
  type ClusterEventFilter,
  type ClusterEventKind,
  eventsOf,
  passesFilter,
} from "./store/cluster-events.ts";
export { type Change, ClusterState, type KeyValue, type Versioned } from "./store/cluster-state.ts";
export { changeMetadata, type MetadataChange } from "./store/dynamic-metadata.ts";
export { Leadership } from "./store/election.ts";
export { REGISTRY_ERRORS, RegistryError, type RegistryErrorCode } from "./store/errors.ts";
export type { Compare, Etcd, Op, RangePage, TxnResult, WatchBatch, WatchEvent } from "./store/etcd.ts";
export { Etcd3Client } from "./store/etcd3-client.ts";
export { type KeyRange, Keys, type ParsedKey } from "./store/keys.ts";
export { Lease, type LeaseOptions } from "./store/lease.ts";
export { MachineRegistration, type StateUpdate } from "./store/machine-registration.ts";
export { cordonMachine, requestMoves, uncordonMachine } from "./store/maintenance.ts";
export { type ChangeListener, Mirror, type MirrorOptions } from "./store/mirror.ts";
export { ObservedEtcd, type OperationObserver } from "./store/observed-etcd.ts";
export type {
  CordonRecord,
  LeaderRecord,
  MachineRecord,
  ScheduleRecord,
  StateRecord,
  UnitRecord,
} from "./store/records.ts";
export { encodeCordon, encodeMachine, encodeSchedule, encodeUnit } from "./store/records.ts";
export { type MirrorSettings, Registry } from "./store/registry.ts";
export { machineOf, type Unit, type UnitState, unitOf, unitStatesOf } from "./store/state-readers.ts";
export { checkUnit, type KnownUnit, planUnitChange, type UnitChange, type UnitOutcome } from "./store/unit-change.ts";
export { type KnownUnits, readUnit, type UnitResult, UnitWriter } from "./store/unit-writer.ts";

/** The registry's keys and records, the cluster as a copy of them, and what changes of it mean. Pure. */
export { REGISTRY_ERRORS, RegistryError, type RegistryErrorCode } from "./errors.ts";
export { type ClusterEvent, type ClusterEventFilter, type ClusterEventKind, eventsOf, passesFilter } from "./events.ts";
export { type KeyRange, Keys } from "./keys.ts";
export { KINDS, type Kind, type ParsedKey, type RecordOf } from "./kinds.ts";
export {
  decodeLinkApi,
  decodeLinkCall,
  encodeLinkApi,
  encodeLinkCall,
  type LinkApiRecord,
  type LinkCallRecord,
} from "./link-records.ts";
export { type Machine, type MetadataChange, matchesMachineID, mergeMetadata, shortMachineID } from "./machine.ts";
export type { Compare, KeyValue, Op } from "./op.ts";
export {
  cordonOf,
  holderOf,
  type LostMachine,
  lostMachines,
  machineName,
  machineOf,
  type Unit,
  type UnitState,
  unitOf,
  unitStatesOf,
  unknownOn,
} from "./readers.ts";
export {
  type CordonRecord,
  decodeCordon,
  decodeEnded,
  decodeKnownMachine,
  decodeLeader,
  decodeMachine,
  decodeMove,
  decodeSchedule,
  decodeState,
  decodeUnit,
  type EndedRecord,
  encodeCordon,
  encodeEnded,
  encodeKnownMachine,
  encodeLeader,
  encodeMachine,
  encodeMove,
  encodeSchedule,
  encodeState,
  encodeUnit,
  type KnownMachineRecord,
  type LeaderRecord,
  type MachineRecord,
  type MoveRecord,
  type ScheduleRecord,
  type StateRecord,
  type UnitRecord,
} from "./records.ts";
export { type Change, ClusterState, type Versioned } from "./state.ts";
export {
  checkUnit,
  type KnownUnit,
  needsFile,
  type PlannedChange,
  planUnitChange,
  type UnitChange,
  type UnitOutcome,
} from "./unit-change.ts";
export { MOST_SECTION, sectionlessFile, withSection } from "./unit-section.ts";
export { isSourceOf, sourceOf, type UnitSource } from "./unit-source.ts";
export {
  type ChangeStamp,
  decodeVersion,
  encodeVersion,
  findVersion,
  inOrder,
  type KeptVersion,
  MOST_MESSAGE,
  MOST_VERSIONS,
  outdatedVersions,
  type ToldVersion,
  tellVersions,
  type VersionRecord,
} from "./unit-versions.ts";

/** A typed client of fleet's HTTP API v1, for other tools. docs/api.md shows it at work. */

export {
  JOURNAL_NOTE_KINDS,
  type JournalEnd,
  type JournalEntry,
  type JournalFields,
  type JournalNote,
  type JournalNoteKind,
  type UnitStatus,
  type UnitUsage,
  type UsageSample,
} from "./description/link-schemas.ts";
export { ROLL_PHASES, ROLL_STATUSES, type Roll, type RollOrder, type RollRequest } from "./description/roll-schemas.ts";
export type {
  FleetEvent,
  Machine,
  MetadataOperation,
  Move,
  Placement,
  RebalanceRequest,
  Unit,
  UnitChange,
  UnitOption,
  UnitState,
  UnitVersion,
} from "./description/schemas.ts";
export { EVENT_KINDS, type EventKind } from "./description/schemas.ts";
export { type Endpoint, endpointText, readEndpoint, readEndpoints } from "./endpoint.ts";
export { FleetApiError, type FleetApiErrorCode } from "./errors.ts";
export type { EventFilter, StreamItem } from "./event-stream.ts";
export { FleetApi, type FleetApiOptions, type LastView } from "./fleet-api.ts";
export type { JournalItem, JournalQuery } from "./journal/stream.ts";
export type { TlsFiles } from "./transport.ts";
export type { UsageQuery } from "./usage-stream.ts";

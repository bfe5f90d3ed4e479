/** API v1 as data: the one source of the server's routes and checks, and of the documents that describe the API. */
export { LINK_OPERATIONS } from "./link-operations.ts";
export type {
  JournalEnd,
  JournalEntry,
  JournalFields,
  JournalNote,
  UnitStatus,
  UnitUsage,
  UsageSample,
} from "./link-schemas.ts";
export { type Answer, type Operation, type Parameter, VIEW } from "./operation.ts";
export { OPERATIONS, type OperationId } from "./operations.ts";
export type { Roll, RollOrder, RollRequest } from "./roll-schemas.ts";
export { EVENT_KINDS, type EventKind, type FleetEvent, type Placement, SCHEMAS, type SchemaName } from "./schemas.ts";

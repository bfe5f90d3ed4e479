/** API v1 as data: the one source for what the server checks and for the documents that describe it. */
export { type Answer, OPERATIONS, type Operation, type OperationId, type Parameter } from "./operations.ts";
export { EVENT_KINDS, type EventKind, type FleetEvent, type Placement, SCHEMAS, type SchemaName } from "./schemas.ts";

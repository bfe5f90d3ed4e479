/** API v1 as data: the one source of the server's routes and checks, and of the documents that describe the API. */
export { type Answer, OPERATIONS, type Operation, type OperationId, type Parameter, VIEW } from "./operations.ts";
export { EVENT_KINDS, type EventKind, type FleetEvent, type Placement, SCHEMAS, type SchemaName } from "./schemas.ts";

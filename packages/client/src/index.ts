/** A typed client of fleet's HTTP API v1, for other tools. docs/api.md shows it at work. */

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
} from "./description/schemas.ts";
export { EVENT_KINDS, type EventKind } from "./description/schemas.ts";
export { type Endpoint, endpointText, readEndpoint } from "./endpoint.ts";
export { FleetApiError, type FleetApiErrorCode } from "./errors.ts";
export {
  type EventFilter,
  FleetApi,
  type FleetApiOptions,
  type LastView,
  type StreamItem,
  type TlsFiles,
} from "./fleet-api.ts";

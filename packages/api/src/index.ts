/** HTTP API v1 over a watched mirror of the registry. */
export { type ApiOptions, type RunningApi, startApi } from "./api.ts";
export type { AnsweredRequest } from "./http/server-hooks.ts";
export type { Asker } from "./link/machine-journal.ts";

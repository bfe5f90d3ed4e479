import { FleetApiError } from "./errors.ts";
import type { Response } from "./transport.ts";

/** The error that a server answered with. */
export function refusal({ status, body }: Pick<Response, "status" | "body">): FleetApiError {
  const { error } = (typeof body === "object" && body !== null ? body : {}) as { error?: { message?: unknown } };
  const message = typeof error?.message === "string" ? error.message : `the server answered with status ${status}`;
  return new FleetApiError("refused", message, { status });
}

/** The error of an answer that fleet's API does not give. */
export function notFleet(where: string): FleetApiError {
  return new FleetApiError("not-fleet", `the server at ${where} is not fleet's API: its answer is none of fleet's`);
}

import type { FastifyRequest } from "fastify";
import type { Asked } from "../model/rights.ts";

/** The header of an answer from a last view: how many seconds old that is at most. */
export const VIEW_AGE = "fleet-view-age";

/** Methods that change nothing. */
const SAFE: readonly string[] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/** What a request asks for; one without a route goes by its method alone. */
export function askedOf(request: FastifyRequest): Asked {
  const kind = request.routeOptions.config?.right ?? (SAFE.includes(request.method) ? "read" : "change");
  if (kind !== "change") return { kind };
  return { kind, unit: pathParameter(request, "unitName") || null };
}

/** The query of a request. A parameter that is given several times is an array. */
export function queryOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return request.query as Readonly<Record<string, unknown>>;
}

/** A parameter in the path of a request, by its name in OPERATIONS. */
export function pathParameter(request: FastifyRequest, name: "unitName" | "machineID" | "number" | "rollID"): string {
  return (request.params as Readonly<Record<string, string>> | undefined)?.[name] ?? "";
}

/** The path of a request as it was sent, without the query. */
export function pathOf({ url }: FastifyRequest): string {
  return url.split("?")[0] ?? "";
}

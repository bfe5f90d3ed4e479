import type { FastifyRequest } from "fastify";

/** The query of a request. A parameter that is given several times is an array. */
export function queryOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return request.query as Readonly<Record<string, unknown>>;
}

/** A parameter in the path of a request, by its name in OPERATIONS. */
export function pathParameter(request: FastifyRequest, name: "unitName" | "machineID"): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? "";
}

/** The path of a request as it was sent, without the query. */
export function pathOf({ url }: FastifyRequest): string {
  return url.split("?")[0] ?? "";
}

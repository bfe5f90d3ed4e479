import type { FastifyRequest } from "fastify";

/** A request's query: a parameter that is given several times is a list. */
export function queryOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return request.query as Readonly<Record<string, unknown>>;
}

/** A parameter in a request's path, by the name that the operation gives it. */
export function pathParameter(request: FastifyRequest, name: "unitName" | "machineID"): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? "";
}

/** A request's path as it was sent, without the query. */
export function pathOf({ url }: FastifyRequest): string {
  return url.split("?")[0] ?? "";
}

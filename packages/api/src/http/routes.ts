import { OPERATIONS, type Operation, type OperationId, SCHEMAS, type SchemaName } from "@fleet/client/description";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HttpError } from "./errors.ts";
import { requireJson } from "./request-bodies.ts";

/** Answers a request, or throws what errors.ts makes an answer of. */
export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** What answers each operation of the API. */
export type Handlers = Readonly<Record<OperationId, Handler>>;

/** What one method of a path does. */
export interface Endpoint {
  readonly handler: Handler;
  /** The schema that a body must fit; null: a body is not read. */
  readonly body: SchemaName | null;
  /** True: the handler judges the body itself, and finds what the schema says in `request.validationError`. */
  readonly judgesBody: boolean;
}

/** A path that the server knows. */
export interface Resource {
  /** Parameters in braces. */
  readonly path: string;
  /** None: every method is refused. */
  readonly methods: ReadonlyMap<Operation["method"], Endpoint>;
}

/** All that one server answers, by path. */
export type RouteTable = readonly Resource[];

const PREFIXES = ["/fleet/v1", "/v1-alpha"];
/** Methods that are refused, where a path does not have them, before the body is read; errors list them in this order. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] as const;
/** Operations that say in plainer words than a schema can what is wrong with a body. */
const JUDGING: readonly OperationId[] = ["Machines.Patch"];

/**
 * The resources of API v1, under both of its prefixes.
 *
 * @param documents what describes the API itself, by path under the prefix
 */
export function apiResources(handlers: Handlers, documents: Readonly<Record<string, Handler>>): RouteTable {
  const byPath = new Map<string, Map<Operation["method"], Endpoint>>();
  for (const { id, method, path, body } of OPERATIONS) {
    const methods = byPath.get(path) ?? new Map<Operation["method"], Endpoint>();
    methods.set(method, { handler: handlers[id], body, judgesBody: JUDGING.includes(id) });
    byPath.set(path, methods);
  }
  const resources = [
    ...[...byPath].map(([path, methods]) => ({ path, methods })),
    ...Object.entries(documents).map(([path, handler]) => readOnly(path, handler)),
  ];
  return PREFIXES.flatMap((prefix) => resources.map(({ path, methods }) => ({ path: `${prefix}/${path}`, methods })));
}

/** A resource that can be read and nothing else. */
export function readOnly(path: string, handler: Handler): Resource {
  return { path, methods: new Map([["GET", { handler, body: null, judgesBody: false }]]) };
}

/** Whether a path, as a request spells it, is one of the table's. */
export function isKnown(table: RouteTable, path: string): boolean {
  const segments = path.split("/");
  return table.some((resource) => {
    const wanted = resource.path.split("/");
    const fits = (segment: string, index: number): boolean =>
      isParameter(wanted[index] ?? "") ? segment !== "" : segment === wanted[index];
    return wanted.length === segments.length && segments.every(fits);
  });
}

/** Registers all that a table has, and for each of its paths the refusal of every other method. */
export function addRoutes(app: FastifyInstance, table: RouteTable): void {
  for (const { path, methods } of table) {
    const url = path
      .split("/")
      .map((segment) => (isParameter(segment) ? `:${segment.slice(1, -1)}` : segment))
      .join("/");
    for (const [method, { handler, body, judgesBody }] of methods) {
      const reading = { schema: { body: body === null ? undefined : SCHEMAS[body] }, attachValidation: judgesBody };
      app.route({ method, url, handler, ...(body === null ? {} : { ...reading, preParsing: requireJson }) });
    }
    if (methods.size > 0) refuseOthers(app, url, methods);
  }
}

/** Answers every other method of a path with 405, whatever its body is. */
function refuseOthers(app: FastifyInstance, url: string, methods: Resource["methods"]): void {
  const has = (method: string): boolean => [...methods.keys()].some((known) => known === method);
  const allowed = METHODS.filter(has).join(", ");
  const refuse = async (): Promise<void> => {
    throw new HttpError(405, `only ${allowed} requests are supported for this resource`);
  };
  app.route({ method: METHODS.filter((method) => !has(method)), url, onRequest: refuse, handler: refuse });
}

function isParameter(segment: string): boolean {
  return segment.startsWith("{");
}

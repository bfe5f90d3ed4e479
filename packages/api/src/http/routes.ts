import {
  OPERATIONS,
  type Operation,
  type OperationId,
  SCHEMAS,
  type SchemaName,
  VIEW,
} from "@fleet/client/description";
import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Asked } from "../model/rights.ts";
import { HttpError } from "./errors.ts";
import { refuseOtherTypes, requireJson } from "./request-bodies.ts";
import { pathOf } from "./request-parts.ts";

/** Answers a request. What it throws is answered as errors.ts says. */
export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** The handler of each operation. */
export type Handlers = Readonly<Record<OperationId, Handler>>;

/** One method of a path. */
export interface Endpoint {
  readonly handler: Handler;
  /** The schema that the body must match; null: no body is read. */
  readonly body: SchemaName | null;
  /** True: a body that does not match reaches the handler, with the mismatch in `request.validationError`. */
  readonly checksBody: boolean;
  /** True: while etcd is away, `view=last` in the query has it answered from the last view. */
  readonly hasLastView: boolean;
  /** What a token must give the right to, whatever the method. */
  readonly right: Asked["kind"];
  /** The operation's id; null: it is no operation. */
  readonly operation: OperationId | null;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** As an Endpoint has it. */
    hasLastView?: boolean;
    right?: Asked["kind"];
    /** Absent: it is no operation of the API. */
    operation?: OperationId;
  }
}

/** A path that the server knows. */
export interface Resource {
  /** Parameters in braces. */
  readonly path: string;
  /** None: every method is refused. */
  readonly methods: ReadonlyMap<Operation["method"], Endpoint>;
}

/** All paths that the server knows. */
export type RouteTable = readonly Resource[];

const PREFIXES = ["/fleet/v1", "/v1-alpha"];
/**
 * Known methods, in the order in which errors list them. On a path without one of them it is refused before a body is
 * read.
 */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] as const;
/**
 * Operations whose handlers check the body themselves, for errors in plainer words than a schema's. As in the old API
 * their bodies need no Content-Type.
 */
const OWN_BODY_CHECKS: readonly OperationId[] = ["Machines.Patch"];

/**
 * The resources of API v1, under both of its prefixes.
 *
 * @param documents handlers of the documents that describe the API, by path under the prefix
 */
export function apiResources(handlers: Handlers, documents: Readonly<Record<string, Handler>>): RouteTable {
  const byPath = new Map<string, Map<Operation["method"], Endpoint>>();
  for (const { id, method, path, body, parameters, isRead, right } of OPERATIONS as readonly (Operation & {
    readonly id: OperationId;
  })[]) {
    const methods = byPath.get(path) ?? new Map<Operation["method"], Endpoint>();
    methods.set(method, {
      handler: handlers[id],
      body,
      checksBody: OWN_BODY_CHECKS.includes(id),
      hasLastView: parameters.some(({ name }) => name === VIEW.name),
      right: right ?? ((isRead ?? method === "GET") ? "read" : "change"),
      operation: id,
    });
    byPath.set(path, methods);
  }
  const resources = [
    ...[...byPath].map(([path, methods]) => ({ path, methods })),
    ...Object.entries(documents).map(([path, handler]) => readOnly(path, handler)),
  ];
  return PREFIXES.flatMap((prefix) => resources.map(({ path, methods }) => ({ path: `${prefix}/${path}`, methods })));
}

/** A resource with GET as its only method. */
export function readOnly(path: string, handler: Handler): Resource {
  return {
    path,
    methods: new Map([
      ["GET", { handler, body: null, checksBody: false, hasLastView: false, right: "read", operation: null }],
    ]),
  };
}

/** Whether the table has a path, given as a request spells it. */
export function isKnown(table: RouteTable, path: string): boolean {
  const segments = path.split("/");
  return table.some((resource) => {
    const wanted = resource.path.split("/");
    const fits = (segment: string, index: number): boolean =>
      isParameter(wanted[index] ?? "") ? segment !== "" : segment === wanted[index];
    return wanted.length === segments.length && segments.every(fits);
  });
}

/** Registers each method of each path, and refusals of the others. */
export function addRoutes(app: FastifyInstance, table: RouteTable): void {
  for (const { path, methods } of table) {
    const segments = path.split("/").map((segment) => (isParameter(segment) ? `:${segment.slice(1, -1)}` : segment));
    const url = segments.join("/");
    for (const [method, endpoint] of methods)
      app.route({
        method,
        url,
        handler: endpoint.handler,
        config: configOf(endpoint),
        ...bodyOptions(endpoint),
      });
    if (methods.size > 0) refuseOthers(app, url, methods);
  }
}

function configOf({ hasLastView, right, operation }: Endpoint): FastifyContextConfig {
  return { hasLastView, right, ...(operation === null ? {} : { operation }) };
}

function bodyOptions({ body, checksBody }: Endpoint): object {
  if (body === null) return {};
  return {
    schema: { body: SCHEMAS[body] },
    attachValidation: checksBody,
    preParsing: checksBody ? refuseOtherTypes : requireJson,
  };
}

/**
 * Refuses a path in which a parameter is empty, as `/units/`: it is none of this API's.
 *
 * @throws HttpError 404
 */
export function checkParameters(request: FastifyRequest): void {
  const parameters = Object.values((request.params ?? {}) as Readonly<Record<string, string>>);
  if (parameters.includes("")) throw new HttpError(404, `${pathOf(request)} is not a path of this API`);
}

/** Has every other method of a path answered with 405, whatever the body is. */
function refuseOthers(app: FastifyInstance, url: string, methods: Resource["methods"]): void {
  const has = (method: string): boolean => [...methods.keys()].some((known) => known === method);
  const allowed = METHODS.filter(has).join(", ");
  const refuse = async (request: FastifyRequest): Promise<void> => {
    checkParameters(request);
    throw new HttpError(405, `only ${allowed} requests are supported for this resource`);
  };
  app.route({ method: METHODS.filter((method) => !has(method)), url, onRequest: refuse, handler: refuse });
}

function isParameter(segment: string): boolean {
  return segment.startsWith("{");
}

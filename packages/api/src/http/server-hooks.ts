import { setImmediate as turn } from "node:timers/promises";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { foreignPage, isLoopbackAddress } from "../model/web-origin.ts";
import type { Access } from "./access.ts";
import type { AuditLog } from "./audit-log.ts";
import { auditChanges } from "./audited-changes.ts";
import { errorJson, HttpError, httpError, UNAVAILABLE } from "./errors.ts";
import { JSON_TYPE } from "./media-type.ts";
import { dropBody } from "./request-bodies.ts";
import { askedOf, pathOf, queryOf, VIEW_AGE } from "./request-parts.ts";
import { checkParameters, isKnown, type RouteTable } from "./routes.ts";

/** What the handling of every request is built from. */
export interface HookDeps {
  readonly version: string;
  /** Null: whoever can open a socket may do everything. */
  readonly access: () => Access | null;
  readonly auditLog: AuditLog;
  /** The machine's host name, which requests on loopback addresses may be sent to. */
  readonly ownName: string;
  /** False: every request but /metrics, and those that a last view will do for, is answered with 503. */
  readonly isHealthy: () => boolean;
  /** The age of the last view of the registry in seconds; null: there is none, or etcd is there. */
  readonly lastViewAge: () => number | null;
  /** etcd's addresses, which clients name to people while etcd is away. */
  readonly etcdAddresses: readonly string[];
  readonly onUnexpected: (error: unknown, request: { readonly method: string; readonly url: string }) => void;
  /** Called for each request once its answer is sent. */
  readonly onAnswered: (request: AnsweredRequest) => void;
}

/** A request as it is logged. */
export interface AnsweredRequest {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  /** Time it took, in milliseconds. */
  readonly ms: number;
  /** Bytes of its body, by its Content-Length; 0 where it has none. */
  readonly requestBytes: number;
  /** Bytes of the answer's body; 0 for a stream. */
  readonly responseBytes: number;
}

const READS: readonly string[] = ["GET", "HEAD"];
const WITH_BODY: readonly string[] = ["PUT", "PATCH", "POST"];
/** The status that nginx too logs for this. The client does not see it. */
const CLIENT_GONE = 499;

/** Adds the checks before each handler and the headers of each answer. */
export function addHooks(app: FastifyInstance, deps: HookDeps): void {
  const { version, access, auditLog, onAnswered } = deps;
  app.addHook("onRequest", async (request, reply) => {
    reply.header("server", serverHeader(version)).header("content-type", JSON_TYPE);
    // A body that no route reads must not change the answer.
    if (!WITH_BODY.includes(request.method)) dropBody(request);
    checkRights(request, deps);
    checkHealth(request, reply, deps);
    checkParameters(request);
  });
  app.addHook("preHandler", async (request) => {
    // A body can take its time, and the token can be revoked meanwhile.
    checkRights(request, deps);
    if (!READS.includes(request.method) && (await isGivenUp(request)))
      throw new HttpError(CLIENT_GONE, "the client went away before its request was carried out");
  });
  app.addHook("onSend", async (request, reply) => {
    // fastify adds a charset to the type of texts; old clients compare the type as a whole.
    if (pathOf(request) !== "/metrics" || reply.statusCode !== 200) reply.header("content-type", JSON_TYPE);
  });
  auditChanges(app, access, auditLog);
  app.addHook("onResponse", async (request, reply) => {
    const { method, url } = request;
    const ms = Math.round(reply.elapsedTime * 10) / 10;
    const requestBytes = Number(request.headers["content-length"]) || 0;
    const responseBytes = Number(reply.getHeader("content-length")) || 0;
    onAnswered({ method, url, status: reply.statusCode, ms, requestBytes, responseBytes });
  });
}

/**
 * Refuses what the sender may not have, and, where no token is asked for, what may come from somebody else's web page.
 *
 * @throws HttpError
 */
function checkRights(request: FastifyRequest, { access, ownName }: HookDeps): void {
  const allowed = access();
  if (allowed !== null) return allowed.check(request, askedOf(request));
  const { localAddress } = request.socket;
  // Browsers don't open UNIX sockets.
  if (localAddress === undefined) return;
  const { host, origin } = request.headers;
  const foreign = foreignPage({ host, origin, isLoopback: isLoopbackAddress(localAddress) }, ownName);
  if (foreign !== null) throw new HttpError(403, foreign);
}

/**
 * Refuses a request while the registry can't be used, unless it asks for a read from the last view while etcd is away.
 *
 * @throws HttpError 503
 */
function checkHealth(request: FastifyRequest, reply: FastifyReply, deps: HookDeps): void {
  if (deps.isHealthy() || pathOf(request) === "/metrics") return;
  const age = deps.lastViewAge();
  const asksForLast = queryOf(request).view === "last";
  if (age !== null && asksForLast) reply.header("fleet-etcd", deps.etcdAddresses.join(","));
  const mayBeOld = request.routeOptions.config?.hasLastView === true && asksForLast;
  if (age === null || !mayBeOld) throw new HttpError(503, UNAVAILABLE);
  reply.header(VIEW_AGE, String(age));
}

/**
 * Has failures answered as errors of the API, and requests without a route: by 405 on a known path, by 404 on others.
 */
export function answerFailures(app: FastifyInstance, table: RouteTable, { version, onUnexpected }: HookDeps): void {
  app.setErrorHandler((error, request, reply) => {
    const { status } = sendError(reply, error);
    if (status === 500) onUnexpected(error, { method: request.method, url: request.url });
  });
  app.setNotFoundHandler((request, reply) => {
    reply.header("server", serverHeader(version));
    const path = pathOf(request);
    if (isKnown(table, path))
      sendError(reply, new HttpError(405, `method ${request.method} is not supported for this resource`));
    else sendError(reply, new HttpError(404, `${path} is not a path of this API`));
  });
}

/** Answers a request that fastify refuses before any hook runs. */
export function answerUnrouted(error: unknown, reply: FastifyReply, version: string): void {
  const { status, message } = httpError(error);
  // fastify would add a charset to the type.
  reply.hijack();
  reply.raw.writeHead(status, { server: serverHeader(version), "content-type": JSON_TYPE });
  reply.raw.end(errorJson(status, message));
}

/**
 * Whether the client has closed the connection of its request. Such a client does not hear of the outcome, and may have
 * sent the request to another server, or a later one, since. A daemon that was frozen for a while finds such requests
 * in its sockets. It reads the end of the connection one turn of the event loop after the request.
 */
async function isGivenUp({ raw: { socket } }: FastifyRequest): Promise<boolean> {
  await turn();
  await turn();
  return socket.destroyed || socket.readableEnded;
}

function sendError(reply: FastifyReply, error: unknown): { readonly status: number } {
  const { status, message } = httpError(error);
  reply.request.failure = message;
  if (status === 401) reply.header("www-authenticate", 'Bearer realm="fleet"');
  reply.code(status).header("content-type", JSON_TYPE).send(errorJson(status, message));
  return { status };
}

function serverHeader(version: string): string {
  return `fleetd/${version}`;
}

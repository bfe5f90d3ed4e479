import { setImmediate as turn } from "node:timers/promises";
import type { RebalanceRequest } from "@fleet/client";
import { SCHEMAS } from "@fleet/client/description";
import { unitOf } from "@fleet/domain/cluster";
import { ModelFeed, planRebalance } from "@fleet/domain/placement";
import { isDesiredState, type UnitOption } from "@fleet/domain/unit";
import {
  changeMetadata,
  cordonMachine,
  type Mirror,
  type Registry,
  requestMoves,
  type UnitWriter,
  uncordonMachine,
} from "@fleet/registry";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { foldNames } from "../model/case-fold.ts";
import type { ClusterView } from "../model/cluster-view.ts";
import { discoveryDocument } from "../model/discovery.ts";
import { EventFilter, readFollow } from "../model/event-filter.ts";
import { readMetadataPatch } from "../model/metadata-patch.ts";
import { openApiDocument } from "../model/openapi.ts";
import type { Access } from "./access.ts";
import { errorJson, HttpError, httpError, UNAVAILABLE, UNSEEN } from "./errors.ts";
import { type EventReaders, MOST_READERS } from "./event-readers.ts";
import { MEMBER_NAMES } from "./member-names.ts";
import { onlyValue, pageJson } from "./paging.ts";
import { PlacementDesk } from "./placement-desk.ts";

/** What the HTTP side needs of the rest. */
export interface AppDeps {
  readonly registry: Registry;
  readonly mirror: Mirror;
  readonly writer: UnitWriter;
  readonly view: ClusterView;
  readonly readers: EventReaders;
  readonly version: string;
  readonly tokenLimit: () => number;
  /** Null: whoever can open a socket may do everything. */
  readonly access: () => Access | null;
  /** How long an answer to a write may wait for the mirror to hold it, in milliseconds. */
  readonly writeTimeoutMs: number;
  /** False: every request but /metrics is answered with 503. */
  readonly isHealthy: () => boolean;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly onUnexpected: (error: unknown, request: { readonly method: string; readonly url: string }) => void;
  /** Hears of each request once its answer is sent. */
  readonly onAnswered: (request: AnsweredRequest) => void;
}

/** A request as the log has it. */
export interface AnsweredRequest {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  /** Time it took, in milliseconds. */
  readonly ms: number;
}

const PREFIXES = ["/fleet/v1", "/v1-alpha"];
const MOST_BODY_BYTES = 2 * 1024 * 1024;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] as const;
/** Paths that are there, for methods that no route was made for. */
const KNOWN_PATH =
  /^\/($|metrics$|(fleet\/v1|v1-alpha)\/(units(\/[^/]+(\/placement)?)?|state(\/[^/]+)?|machines(\/[^/]+\/cordon)?|moves|rebalance|discovery|events|openapi\.json)$)/;
const READS: readonly string[] = ["GET", "HEAD"];
/** As other servers call it in their logs; the client does not see it. */
const CLIENT_GONE = 499;
const JSON_TYPE = "application/json";

interface SetBody {
  readonly name?: string;
  readonly options?: readonly { readonly section: string; readonly name: string; readonly value?: string }[];
  readonly desiredState?: string;
}

/** Builds the HTTP application of API v1. It listens nowhere yet. */
export function buildApp(deps: AppDeps): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: MOST_BODY_BYTES,
    routerOptions: { maxParamLength: 1024, ignoreTrailingSlash: false },
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    frameworkErrors: (error, _request, reply) => {
      // No hook runs for these, and fastify would add a charset to the type.
      const { status, message } = httpError(error);
      reply.hijack();
      reply.raw.writeHead(status, { server: `fleetd/${deps.version}`, "content-type": JSON_TYPE });
      reply.raw.end(errorJson(status, message));
    },
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.header("server", `fleetd/${deps.version}`).header("content-type", JSON_TYPE);
    // A body that no route reads must not decide about the answer.
    if (!["PUT", "PATCH", "POST"].includes(request.method)) dropBody(request);
    deps.access()?.check(request.method, request.headers.authorization);
    if (!deps.isHealthy() && pathOf(request) !== "/metrics") throw new HttpError(503, UNAVAILABLE);
  });
  app.addHook("preHandler", async (request) => {
    if (!READS.includes(request.method) && (await isGivenUp(request)))
      throw new HttpError(CLIENT_GONE, "the client went away before its request was carried out");
  });
  app.addHook("onSend", async (request, reply) => {
    // fastify adds a charset to the type of texts; old clients compare the type as a whole.
    if (pathOf(request) !== "/metrics" || reply.statusCode !== 200) reply.header("content-type", JSON_TYPE);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { method, url } = request;
    deps.onAnswered({ method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime * 10) / 10 });
  });
  app.setErrorHandler((error, request, reply) => {
    const { status } = sendError(reply, error);
    if (status >= 500 && status !== 503) deps.onUnexpected(error, { method: request.method, url: request.url });
  });
  app.setNotFoundHandler((request, reply) => {
    reply.header("server", `fleetd/${deps.version}`);
    const path = pathOf(request);
    if (KNOWN_PATH.test(path)) sendError(reply, new HttpError(405, `method ${request.method} is not supported here`));
    else sendError(reply, new HttpError(404, `${path} is not a path of this API`));
  });
  parseBodies(app);
  app.get("/metrics", async (_request, reply) => {
    const { contentType, text } = await deps.metrics();
    return reply.header("content-type", contentType).send(text);
  });
  allowOnly(app, "/metrics", "GET");
  for (const prefix of PREFIXES) addRoutes(app, prefix, deps);
  return app;
}

/**
 * Whether a request's client has closed its connection: it can't hear of the outcome, and may have asked another server,
 * or for something else, since. A daemon that was frozen for a while finds such requests in its sockets; that the
 * connection is closed it reads one turn of the event loop after the request.
 */
async function isGivenUp({ raw: { socket } }: FastifyRequest): Promise<boolean> {
  await turn();
  await turn();
  return socket.destroyed || socket.readableEnded;
}

/** Bodies are read as JSON whatever their content type says; where it matters the route asks for the right one. */
function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    if (body === "") return done(null, undefined);
    try {
      done(null, foldNames(JSON.parse(body as string), MEMBER_NAMES));
    } catch {
      done(new HttpError(400, "the request body is not valid JSON"));
    }
  });
}

function addRoutes(app: FastifyInstance, prefix: string, deps: AppDeps): void {
  const { view, registry, mirror, writer } = deps;
  const desk = new PlacementDesk(mirror.state, inSlices);
  const json = (reply: FastifyReply, text: string): FastifyReply => reply.send(text);
  const query = (request: FastifyRequest): Record<string, unknown> => request.query as Record<string, unknown>;
  const name = (request: FastifyRequest): string => (request.params as { name: string }).name;
  app.get(`${prefix}/units`, async (request, reply) => {
    const { nextPageToken } = query(request);
    const size = deps.tokenLimit();
    const make = (): string => pageJson("units", query(request), size, (start, count) => view.units(start, count));
    // A token given twice is an error, and no key for anything.
    const isPlain = nextPageToken === undefined || typeof nextPageToken === "string";
    return json(reply, isPlain ? view.page(`units ${size} ${nextPageToken ?? ""}`, make) : make());
  });
  allowOnly(app, `${prefix}/units`, "GET");

  app.get(`${prefix}/units/:name`, async (request, reply) => {
    const unit = view.unit(name(request));
    if (unit === null) throw new HttpError(404, "unit does not exist");
    return json(reply, unit);
  });
  app.put(
    `${prefix}/units/:name`,
    { schema: { body: SCHEMAS.UnitChange }, preParsing: requireJson },
    async (request, reply) => {
      const body = request.body as SetBody;
      const unitName = name(request);
      if (body.name !== undefined && body.name !== "" && body.name !== unitName) {
        throw new HttpError(
          400,
          `name in URL ${JSON.stringify(unitName)} differs from unit name in request body ${JSON.stringify(body.name)}`,
        );
      }
      const { outcome, revision } = await writer.submit({
        kind: "set",
        name: unitName,
        options: options(body),
        desiredState: desiredState(body),
      });
      await seen(unitName, revision);
      return reply.code(outcome === "created" || outcome === "replaced" ? 201 : 204).send();
    },
  );
  app.delete(`${prefix}/units/:name`, async (request, reply) => {
    const { revision } = await writer.submit({ kind: "destroy", name: name(request) });
    await seen(name(request), revision);
    return reply.code(204).send();
  });
  allowOnly(app, `${prefix}/units/:name`, "GET", "PUT", "DELETE");

  app.get(`${prefix}/units/:name/placement`, async (request, reply) => {
    const placement = await desk.explain(name(request));
    if (placement === null) throw new HttpError(404, "unit does not exist");
    return json(reply, JSON.stringify(placement));
  });
  allowOnly(app, `${prefix}/units/:name/placement`, "GET");

  app.get(`${prefix}/state`, async (request, reply) => {
    const machineID = onlyValue(query(request), "machineID");
    const unitName = onlyValue(query(request), "unitName");
    const take = (start: number, count: number) => view.states(machineID, unitName, start, count);
    return json(reply, pageJson("states", query(request), deps.tokenLimit(), take));
  });
  allowOnly(app, `${prefix}/state`, "GET");

  app.get(`${prefix}/state/:name`, async (request, reply) => {
    const state = view.state(name(request));
    if (state === null) throw new HttpError(404, "unit state does not exist");
    return json(reply, state);
  });
  allowOnly(app, `${prefix}/state/:name`, "GET");

  app.get(`${prefix}/machines`, async (request, reply) =>
    json(
      reply,
      pageJson("machines", query(request), deps.tokenLimit(), (start, count) => view.machines(start, count)),
    ),
  );
  const patch = { schema: { body: SCHEMAS.MetadataPatch }, attachValidation: true, preParsing: requireJson };
  app.patch(`${prefix}/machines`, patch, async (request, reply) => {
    // The schema decides; reading names the operation that is wrong in plainer words than the schema can.
    const changes = readMetadataPatch(request.body);
    if (request.validationError !== undefined) throw new HttpError(400, request.validationError.message);
    const revision = await changeMetadata(registry.etcd, registry.keys, changes);
    const [first] = changes;
    if (first !== undefined) await seenKey(registry.keys.machineMetadata(first.machineID, first.key), revision);
    return reply.code(204).send();
  });
  allowOnly(app, `${prefix}/machines`, "GET", "PATCH");

  app.get(`${prefix}/events`, async (request, reply) => {
    const filter = EventFilter.read(query(request));
    const stays = readFollow(query(request));
    const after = lastEventID(request);
    if (deps.readers.count >= MOST_READERS)
      throw new HttpError(429, "too many clients follow events here: try another server");
    if (after !== null && after > mirror.revision) await checkReached(after);
    reply.hijack();
    deps.readers.add(reply.raw, { server: `fleetd/${deps.version}` }, filter, after, stays);
  });
  allowOnly(app, `${prefix}/events`, "GET");

  const discovery = JSON.stringify(discoveryDocument());
  app.get(`${prefix}/discovery`, async (_request, reply) => json(reply, discovery));
  allowOnly(app, `${prefix}/discovery`, "GET");
  const openApi = JSON.stringify(openApiDocument(deps.version));
  app.get(`${prefix}/openapi.json`, async (_request, reply) => json(reply, openApi));
  allowOnly(app, `${prefix}/openapi.json`, "GET");

  /** A revision that this API has not seen yet may be known to another one; one that etcd does not have can't be. */
  async function checkReached(revision: number): Promise<void> {
    const key = registry.keys.leader();
    const { revision: reached } = await registry.etcd.range({ start: key, end: `${key}\0` }, { limit: 1 });
    if (revision > reached)
      throw new HttpError(
        400,
        `invalid Last-Event-ID ${revision}: etcd is at revision ${reached}; it may have been restored`,
      );
  }

  app.put(
    `${prefix}/machines/:name/cordon`,
    { schema: { body: SCHEMAS.Cordon }, preParsing: requireJson },
    async (request, reply) => {
      const id = machineID(name(request));
      const { drain = false } = request.body as { drain?: boolean };
      await seenKey(
        registry.keys.cordon(id),
        await cordonMachine(registry.etcd, registry.keys, id, { drain, since: new Date() }),
      );
      return reply.code(204).send();
    },
  );
  app.delete(`${prefix}/machines/:name/cordon`, async (request, reply) => {
    const id = machineID(name(request));
    await seenKey(registry.keys.cordon(id), await uncordonMachine(registry.etcd, registry.keys, id));
    return reply.code(204).send();
  });
  allowOnly(app, `${prefix}/machines/:name/cordon`, "PUT", "DELETE");

  app.get(`${prefix}/moves`, async (_request, reply) => {
    const moves = [...mirror.state.moves].sort(([a], [b]) => (a < b ? -1 : 1));
    const list = moves.map(([unit, { to, reason }]) => ({
      unit,
      from: unitOf(mirror.state, unit)?.machineID ?? undefined,
      to,
      reason,
    }));
    return json(reply, JSON.stringify({ moves: list }));
  });
  allowOnly(app, `${prefix}/moves`, "GET");

  app.post(
    `${prefix}/rebalance`,
    { schema: { body: SCHEMAS.Rebalance }, preParsing: requireJson },
    async (request, reply) => {
      const { dryRun = false, limit = 1, most = MOST_MOVES } = request.body as RebalanceRequest;
      const feed = new ModelFeed(mirror.state);
      await inSlices(feed.load());
      const moves = await inSlices(planRebalance(feed.model, most));
      const [first] = moves;
      if (!dryRun && first !== undefined) {
        const records = moves.map(({ unit, to, reason }) => ({ unit, to, limit, reason }));
        await seenKey(registry.keys.move(first.unit), await requestMoves(registry.etcd, registry.keys, records));
      }
      return json(reply, JSON.stringify({ moves }));
    },
  );
  allowOnly(app, `${prefix}/rebalance`, "POST");

  /** Holds the answer to a write back until this API would show it. */
  async function seen(unitName: string, revision: number): Promise<void> {
    await seenKey(registry.keys.unit(unitName), revision);
  }
  async function seenKey(key: string, revision: number): Promise<void> {
    if (await mirror.waitFor(key, revision, deps.writeTimeoutMs)) return;
    // Nothing is acknowledged that this API would deny a moment later.
    throw new HttpError(503, `${UNSEEN} (etcd revision ${revision})`);
  }
}

function options(body: SetBody): readonly UnitOption[] | null {
  if (body.options === undefined || body.options.length === 0) return null;
  return body.options.map(({ section, name, value }) => ({ section, name, value: value ?? "" }));
}

function desiredState(body: SetBody): "inactive" | "loaded" | "launched" | null {
  const state = body.desiredState;
  if (state === undefined || state === "") return null;
  if (isDesiredState(state)) return state;
  throw new HttpError(400, `invalid desiredState ${JSON.stringify(state)}: expected inactive, loaded or launched`);
}

const MOST_MOVES = 1000;
const SLICE_MS = 10;

function machineID(text: string): string {
  if (/^[A-Za-z0-9_.-]{1,128}$/.test(text)) return text;
  throw new HttpError(400, `invalid machine ID ${JSON.stringify(text)}: expected letters, digits and _ . -`);
}

/** Runs work that yields, without keeping other requests waiting for long. */
async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const endsAt = performance.now() + SLICE_MS;
    while (performance.now() < endsAt) {
      const { done, value } = work.next();
      if (done === true) return value;
    }
    await new Promise(setImmediate);
  }
}

/** The revision that a reader has come to; null: it begins now. */
function lastEventID({ headers }: FastifyRequest): number | null {
  const text = headers["last-event-id"];
  if (text === undefined || text === "") return null;
  if (typeof text !== "string" || !/^\d{1,15}$/.test(text))
    throw new HttpError(400, `invalid Last-Event-ID ${JSON.stringify(text)}: expected an etcd revision`);
  return Number(text);
}

async function requireJson(request: FastifyRequest): Promise<void> {
  const sent = request.raw.rawHeaders.filter(
    (_entry, index, all) => index % 2 === 1 && /^content-type$/i.test(all[index - 1] ?? ""),
  );
  const type = sent[0]?.split(";")[0]?.trim().toLowerCase();
  if (sent.length !== 1 || type !== JSON_TYPE)
    throw new HttpError(415, `only one Content-Type, ${JSON_TYPE}, is accepted`);
}

/** Answers every other method of a path with 405, whatever its body is. */
function allowOnly(app: FastifyInstance, url: string, ...allowed: readonly string[]): void {
  const method = METHODS.filter(
    (candidate) => !allowed.includes(candidate) && app.supportedMethods.includes(candidate),
  );
  const refuse = async (): Promise<void> => {
    throw new HttpError(405, `only ${allowed.join(", ")} requests are supported for this resource`);
  };
  app.route({ method, url, onRequest: refuse, handler: refuse });
}

function dropBody({ raw }: FastifyRequest): void {
  for (const header of ["content-type", "content-length", "transfer-encoding"]) delete raw.headers[header];
}

function pathOf({ url }: FastifyRequest): string {
  return url.split("?")[0] ?? "";
}

function sendError(reply: FastifyReply, error: unknown): { readonly status: number } {
  const { status, message } = httpError(error);
  if (status === 401) reply.header("www-authenticate", 'Bearer realm="fleet"');
  reply.code(status).header("content-type", JSON_TYPE).send(errorJson(status, message));
  return { status };
}

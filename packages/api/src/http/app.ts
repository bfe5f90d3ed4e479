import type { Mirror, Registry, UnitWriter } from "@fleet/registry";
import { type FastifyInstance, type FastifyRequest, fastify } from "fastify";
import { linkHandlers } from "../link/link-handlers.ts";
import type { LinkSessions } from "../link/link-sessions.ts";
import type { Asker } from "../link/machine-journal.ts";
import { senderName } from "../model/audit.ts";
import type { ClusterView } from "../model/cluster-view.ts";
import { senderOf } from "./audited-changes.ts";
import type { EventReaders } from "./event-readers.ts";
import { documentHandlers } from "./handlers/documents.ts";
import { eventHandlers } from "./handlers/events.ts";
import { machineHandlers } from "./handlers/machines.ts";
import { moveHandlers } from "./handlers/moves.ts";
import { rollHandlers } from "./handlers/rolls.ts";
import { unitStateHandlers } from "./handlers/unit-states.ts";
import { unitHandlers } from "./handlers/units.ts";
import { versionHandlers } from "./handlers/versions.ts";
import { PlacementExplainer } from "./placement-explainer.ts";
import { readYourRefusals, readYourUnits, readYourWrites } from "./read-your-writes.ts";
import { parseBodies } from "./request-bodies.ts";
import { addRoutes, apiResources, type Handler, type Handlers, type RouteTable, readOnly } from "./routes.ts";
import { addHooks, answerFailures, answerUnrouted, type HookDeps } from "./server-hooks.ts";

/** What the HTTP application is built from. */
export interface AppDeps extends HookDeps {
  readonly registry: Registry;
  readonly mirror: Mirror;
  readonly writer: UnitWriter;
  readonly view: ClusterView;
  readonly readers: EventReaders;
  /** Fulfilled once the log of events is there to be read. */
  readonly eventsOpened: Promise<void>;
  /** Asks machines; null: this API asks none. */
  readonly asker: Asker | null;
  readonly sessions: LinkSessions;
  /** Most entries of a page. */
  readonly tokenLimit: () => number;
  /** Most bytes of a unit's text. */
  readonly unitSizeLimit: () => number;
  /** How long the answer to a write waits until the mirror shows the write, in milliseconds. */
  readonly writeTimeoutMs: number;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** A unit of the largest size that can be configured comes twice: as options and as text. */
const MOST_BODY_BYTES = 4 * 1024 * 1024;
/** Names of units are shorter: systemd allows 255 characters. */
const MOST_PARAMETER_CHARACTERS = 1024;

/** Builds the HTTP application of API v1. It listens nowhere yet. */
export function buildApp(deps: AppDeps): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: MOST_BODY_BYTES,
    routerOptions: { maxParamLength: MOST_PARAMETER_CHARACTERS, ignoreTrailingSlash: false },
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    frameworkErrors: (error, _request, reply) => answerUnrouted(error, reply, deps.version),
  });
  const table: RouteTable = [
    ...["/", "/fleet/v1", "/v1-alpha"].map((path) => ({ path, methods: new Map() })),
    readOnly("/metrics", metricsHandler(deps)),
    ...apiResources(apiHandlers(deps), documentHandlers(deps.version)),
  ];
  addHooks(app, deps);
  answerFailures(app, table, deps);
  parseBodies(app);
  addRoutes(app, table);
  return app;
}

function apiHandlers({
  registry,
  mirror,
  writer,
  view,
  readers,
  eventsOpened,
  asker,
  sessions,
  version,
  access,
  tokenLimit,
  unitSizeLimit,
  writeTimeoutMs,
}: AppDeps): Handlers {
  const { state } = mirror;
  const untilVisible = readYourWrites(mirror, writeTimeoutMs);
  const untilUnitVisible = readYourUnits(mirror, writeTimeoutMs);
  const untilShown = readYourRefusals(mirror, writeTimeoutMs);
  const explainer = new PlacementExplainer(state);
  const nameOfSender = (request: FastifyRequest): string | null => {
    const sender = senderOf(request, access());
    return sender === null ? null : senderName(sender);
  };
  return {
    ...unitHandlers({
      view,
      writer,
      registry,
      explainer,
      untilUnitVisible,
      untilShown,
      nameOfSender,
      tokenLimit,
      unitSizeLimit,
    }),
    ...versionHandlers(registry),
    ...unitStateHandlers({ view, tokenLimit }),
    ...machineHandlers({ view, registry, untilVisible, tokenLimit }),
    ...moveHandlers({ state, registry, untilVisible }),
    ...rollHandlers({ state, registry, untilVisible, nameOfSender, unitSizeLimit }),
    ...eventHandlers({ registry, mirror, readers, eventsOpened, version, access }),
    ...linkHandlers({ state, asker, sessions, version, access }),
  };
}

function metricsHandler({ metrics }: AppDeps): Handler {
  return async (_request, reply) => {
    const { contentType, text } = await metrics();
    return reply.header("content-type", contentType).send(text);
  };
}

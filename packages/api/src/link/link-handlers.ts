import type { ClusterState } from "@fleet/domain/cluster";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Access } from "../http/access.ts";
import { HttpError } from "../http/errors.ts";
import { askedOf, pathParameter, queryOf } from "../http/request-parts.ts";
import type { Handlers } from "../http/routes.ts";
import { HttpJournalReader, type StreamType } from "./http-journal-reader.ts";
import { MOST_LINES, queryInBody, readJournalQuery, readLines, values } from "./journal-query.ts";
import { JournalSession } from "./journal-session.ts";
import { type LinkSessions, MOST_READERS } from "./link-sessions.ts";
import type { Asker } from "./machine-journal.ts";
import { usageOf } from "./machine-usage.ts";
import { selectUnits } from "./selection.ts";
import { unitStatuses } from "./unit-statuses.ts";
import { UsageSession } from "./usage-session.ts";

/** What the handlers are built from. */
export interface LinkDeps {
  readonly state: ClusterState;
  /** Null: this API asks no machine. */
  readonly asker: Asker | null;
  readonly sessions: LinkSessions;
  readonly version: string;
  readonly access: () => Access | null;
}

const DEFAULT_INTERVAL_MS = 2_000;
const MOST_COUNT = 1_000_000;

/** Handlers of what the agents of machines answer. */
export function linkHandlers(
  deps: LinkDeps,
): Pick<Handlers, "Journal.Read" | "Journal.Query" | "Units.Status" | "Usage.Read"> {
  const { state, sessions } = deps;
  return {
    "Journal.Read": async (request, reply) => serveJournal(deps, request, reply, queryOf(request)),
    "Journal.Query": async (request, reply) => serveJournal(deps, request, reply, queryInBody(request.body)),
    "Units.Status": async (request, reply) => {
      const asker = askerOf(deps);
      const unit = pathParameter(request, "unitName");
      const lines = readLines(queryOf(request), false) ?? MOST_LINES;
      if (selectUnits(state, [unit]).names[0] !== unit) throw new HttpError(404, "unit does not exist");
      return { units: await unitStatuses(state, asker, unit, lines, goneSignal(reply)) };
    },
    "Usage.Read": async (request, reply) => {
      const asker = askerOf(deps);
      const query = queryOf(request);
      const wanted = values(query, "machine");
      const machines = wanted.length > 0 ? wanted : [...state.machines.keys()].sort();
      if (streamTypeOf(request) === null) return { machines: await usageOf(state, asker, machines, goneSignal(reply)) };
      const intervalMs = numberIn(query, "interval", DEFAULT_INTERVAL_MS, [200, 60_000]);
      const count = numberIn(query, "count", 0, [0, MOST_COUNT]);
      refuseCrowd(sessions);
      const reader = streamTo(request, reply, "text/event-stream", deps);
      const session = new UsageSession({
        state,
        asker,
        machines: wanted,
        intervalMs,
        count,
        reader,
        signal: reader.gone,
      });
      void sessions.serve(session, reader);
      return undefined;
    },
  };
}

/** @throws HttpError */
function serveJournal(
  deps: LinkDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: Readonly<Record<string, unknown>>,
): void {
  const { state, sessions } = deps;
  const asker = askerOf(deps);
  const query = readJournalQuery(asked);
  const { names, missing } = selectUnits(state, query.units);
  if (missing[0] !== undefined) throw new HttpError(404, `no unit matches ${JSON.stringify(missing[0])}`);
  refuseCrowd(sessions);
  const reader = streamTo(request, reply, streamTypeOf(request) ?? "application/x-ndjson", deps);
  void sessions.serve(new JournalSession({ state, asker, query, names, reader, signal: reader.gone }), reader);
}

/** @throws HttpError 429 */
function refuseCrowd({ count }: LinkSessions): void {
  if (count >= MOST_READERS)
    throw new HttpError(
      429,
      `this server serves ${MOST_READERS} streams of what machines answer, and no more: try another`,
    );
}

/** @throws HttpError 501 */
function askerOf({ asker }: LinkDeps): Asker {
  if (asker === null)
    throw new HttpError(501, "this API asks no machine: option link_listen is not set in its configuration");
  return asker;
}

/** The kind of stream that a client asks for by Accept; null: none. */
function streamTypeOf({ headers }: FastifyRequest): StreamType | null {
  const accept = headers.accept ?? "";
  if (accept.includes("text/event-stream")) return "text/event-stream";
  return accept.includes("application/x-ndjson") ? "application/x-ndjson" : null;
}

function streamTo(
  request: FastifyRequest,
  reply: FastifyReply,
  type: StreamType,
  { access, version }: LinkDeps,
): HttpJournalReader {
  const holds = Access.watch(request, askedOf(request));
  reply.hijack();
  return new HttpJournalReader(reply.raw, type, { server: `fleetd/${version}` }, () => holds(access()));
}

/** Aborted when the client of a request is gone. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.on("close", () => gone.abort());
  return gone.signal;
}

/** @throws HttpError 400 */
function numberIn(
  query: Readonly<Record<string, unknown>>,
  name: string,
  byDefault: number,
  [least, most]: readonly [number, number],
): number {
  const [given] = values(query, name);
  if (given === undefined) return byDefault;
  const number = Number(given);
  if (!/^\d{1,7}$/.test(given) || number < least || number > most)
    throw new HttpError(400, `invalid ${name} ${JSON.stringify(given)}: expected a number from ${least} to ${most}`);
  return number;
}

import type { Mirror, Registry } from "@fleet/registry";
import type { FastifyRequest } from "fastify";
import { EventFilter, readFollow } from "../../model/event-filter.ts";
import { Access } from "../access.ts";
import { HttpError } from "../errors.ts";
import { type EventReaders, MOST_READERS } from "../event-readers.ts";
import { askedOf, queryOf } from "../request-parts.ts";
import type { Handlers } from "../routes.ts";

/** What the handler is built from. */
export interface EventDeps {
  readonly registry: Registry;
  readonly mirror: Pick<Mirror, "revision">;
  readonly readers: EventReaders;
  /** Fulfilled once the log of events is there to be read. */
  readonly eventsOpened: Promise<void>;
  readonly version: string;
  /** Null: whoever can open a socket may read. */
  readonly access: () => Access | null;
}

/** The handler of the stream of events. */
export function eventHandlers({
  registry,
  mirror,
  readers,
  eventsOpened,
  version,
  access,
}: EventDeps): Pick<Handlers, "Events.Follow"> {
  return {
    "Events.Follow": async (request, reply) => {
      const query = queryOf(request);
      const filter = EventFilter.read(query);
      const stays = readFollow(query);
      const after = lastEventID(request);
      if (readers.count >= MOST_READERS)
        throw new HttpError(429, `this server already serves ${MOST_READERS} event streams: try another one`);
      if (after !== null && after > mirror.revision) await checkReached(registry, after);
      await eventsOpened;
      const holds = Access.watch(request, askedOf(request));
      const mayRead = (): boolean => holds(access());
      // Waiting takes time, in which a token may have been revoked.
      if (!mayRead()) throw new HttpError(401, "invalid token");
      reply.hijack();
      readers.add(reply.raw, { server: `fleetd/${version}` }, filter, after, stays, mayRead);
    },
  };
}

/** The revision up to which a client has read; null: it begins now. */
function lastEventID({ headers }: FastifyRequest): number | null {
  const text = headers["last-event-id"];
  if (text === undefined || text === "") return null;
  if (typeof text !== "string" || !/^\d{1,15}$/.test(text))
    throw new HttpError(400, `invalid Last-Event-ID ${JSON.stringify(text)}: expected an etcd revision`);
  return Number(text);
}

/**
 * Checks a revision that this server has not seen. Another server may have seen it, but only if etcd has reached it.
 */
async function checkReached(registry: Registry, revision: number): Promise<void> {
  const reached = await registry.reachedRevision();
  if (revision <= reached) return;
  throw new HttpError(
    400,
    `invalid Last-Event-ID ${revision}: etcd is at revision ${reached}; it may have been restored`,
  );
}

import type { EventKind, FleetEvent } from "./description/schemas.ts";
import { jsonOf, openStream, readServerSentEvents } from "./streams.ts";
import type { Transport } from "./transport.ts";

/** Which events to get. One entry of each list must match; an absent or empty list matches all. */
export interface EventFilter {
  /** Globs over unit names. */
  readonly units?: readonly string[];
  /** Machine IDs, full or short. */
  readonly machines?: readonly string[];
  readonly kinds?: readonly EventKind[];
}

/** What a stream of events yields. */
export type StreamItem =
  /** The stream is open, and nothing that happens from now on is missed. It comes again after each reconnect. */
  | { readonly kind: "open" }
  | { readonly kind: "event"; readonly event: FleetEvent }
  /** Events were missed, so what was read before may be out of date. The message says why. */
  | { readonly kind: "gap"; readonly message: string };

/** One event of a stream; `item` null: it only gives the position from which to resume. */
export interface Received {
  readonly item: StreamItem | null;
  readonly id: string | null;
}

/**
 * Reads events until the stream ends or the signal aborts.
 *
 * @param last the etcd revision after which to begin; null: now
 * @param follow false: only what the server still keeps
 */
export async function* readEvents(
  transport: Transport,
  { units = [], machines = [], kinds = [] }: EventFilter,
  signal: AbortSignal,
  last: string | null,
  follow: boolean,
): AsyncGenerator<Received> {
  const query = new URLSearchParams();
  for (const unit of units) query.append("unit", unit);
  for (const machine of machines) query.append("machine", machine);
  for (const kind of kinds) query.append("kind", kind);
  if (!follow) query.append("follow", "false");
  const path = query.size === 0 ? "/events" : `/events?${query}`;
  const headers: Record<string, string> = last === null ? {} : { "last-event-id": last };
  for await (const body of openStream(transport, { path, type: "text/event-stream", headers }, signal)) {
    yield { item: { kind: "open" }, id: null };
    for await (const { event, data, id } of readServerSentEvents(body)) {
      const value = jsonOf(data) as Record<string, unknown> | null;
      if (event === "revision") yield { item: null, id };
      else if (event === "gap" || event === "cut-off")
        yield { item: { kind: "gap", message: String(value?.message ?? event) }, id };
      else if (value !== null && typeof value === "object")
        yield { item: { kind: "event", event: value as unknown as FleetEvent }, id };
    }
  }
}

import type { IncomingMessage } from "node:http";
import { createParser } from "eventsource-parser";
import type { FleetEvent } from "./description/schemas.ts";

/** What a stream of events yields. */
export type StreamItem =
  /** The stream is open, and nothing that happens from now on is missed. It comes again after each reconnect. */
  | { readonly kind: "open" }
  | { readonly kind: "event"; readonly event: FleetEvent }
  /** Events were missed, so what was read before may be out of date. The message says why. */
  | { readonly kind: "gap"; readonly message: string };

/** A stream without any data for so long is broken: the server sends something every 15 s. */
const SILENCE_MS = 45_000;

/** One event of a stream; `item` null: it only gives the position from which to resume. */
export interface Received {
  readonly item: StreamItem | null;
  readonly id: string | null;
}

/** Reads server-sent events from a body, until it ends. Throws where no data comes for too long. */
export async function* readStream(stream: IncomingMessage): AsyncGenerator<Received> {
  const ready: Received[] = [];
  const parser = createParser({
    onEvent: ({ event, data, id }) => {
      const value = jsonOf(data) as Record<string, unknown> | null;
      if (event === "revision") ready.push({ item: null, id: id ?? null });
      else if (event === "gap" || event === "cut-off") {
        ready.push({ item: { kind: "gap", message: String(value?.message ?? event) }, id: id ?? null });
      } else if (value !== null && typeof value === "object") {
        ready.push({ item: { kind: "event", event: value as unknown as FleetEvent }, id: id ?? null });
      }
    },
  });
  const silence = setTimeout(
    () => stream.destroy(new Error("no data came from the stream of events for too long")),
    SILENCE_MS,
  );
  try {
    for await (const chunk of stream.setEncoding("utf8")) {
      silence.refresh();
      parser.feed(chunk as string);
      yield* ready.splice(0);
    }
  } finally {
    clearTimeout(silence);
  }
}

/** The value of a JSON text; null where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { notFleet, refusal } from "./answers.ts";
import { FleetApiError } from "./errors.ts";
import type { Transport } from "./transport.ts";

/** A stream without any data for so long is broken: the server sends something every 15 s. */
const SILENCE_MS = 45_000;

/** After so many failures in a row a stream is given up. */
const MOST_FAILURES = 8;

/** What is asked for as a stream. */
export interface StreamRequest {
  readonly path: string;
  /** The media type. */
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent by POST; absent: it is a GET. */
  readonly body?: unknown;
}

/**
 * Opens a stream of a media type, and yields its body once: when whoever takes it is done with it, or the signal aborts,
 * the stream is closed.
 *
 * @throws FleetApiError where the server refuses, or is not fleet's
 */
export async function* openStream(
  transport: Transport,
  { path, type, headers = {}, body }: StreamRequest,
  signal: AbortSignal,
): AsyncGenerator<IncomingMessage> {
  const { status, stream } = await transport.open(path, { accept: type, ...headers }, body);
  const stop = (): void => void stream.destroy();
  if (signal.aborted) return stop();
  signal.addEventListener("abort", stop);
  try {
    if (status !== 200) {
      let text = "";
      for await (const chunk of stream.setEncoding("utf8")) text += chunk;
      throw refusal({ status, body: jsonOf(text) });
    }
    if (!String(stream.headers["content-type"]).startsWith(type)) throw notFleet(transport.where);
    yield stream;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** Pieces of a body as text, until it ends. Throws where none comes for too long. */
async function* chunksOf(stream: IncomingMessage): AsyncGenerator<string> {
  const silence = setTimeout(() => stream.destroy(new Error("no data came from the server for too long")), SILENCE_MS);
  try {
    for await (const chunk of stream.setEncoding("utf8")) {
      silence.refresh();
      yield chunk as string;
    }
  } finally {
    clearTimeout(silence);
  }
}

/** An event as the server sent it. */
export interface ServerSentEvent {
  readonly event: string | null;
  readonly data: string;
  readonly id: string | null;
}

/** Reads server-sent events from a body. */
export async function* readServerSentEvents(stream: IncomingMessage): AsyncGenerator<ServerSentEvent> {
  const ready: ServerSentEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data, id }) => void ready.push({ event: event ?? null, data, id: id ?? null }),
  });
  for await (const chunk of chunksOf(stream)) {
    parser.feed(chunk);
    yield* ready.splice(0);
  }
}

/** Reads newline-delimited JSON from a body, without its empty lines: what has come together is yielded together. */
export async function* readJsonLines(stream: IncomingMessage): AsyncGenerator<readonly unknown[]> {
  let rest = "";
  for await (const chunk of chunksOf(stream)) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    const values = lines.flatMap((line) => (line === "" ? [] : [JSON.parse(line) as unknown]));
    if (values.length > 0) yield values;
  }
}

/**
 * Reads a stream, and again whenever it breaks or ends, after a pause: until the signal aborts, or `isOver` says so. What
 * never began is not tried again, nor what is refused; after eight failures in a row the last one is thrown.
 *
 * @param read opens the stream anew; it knows where the last one ended
 */
export async function* readAgain<T>(
  read: () => AsyncGenerator<T>,
  signal: AbortSignal,
  isOver: () => boolean = () => false,
): AsyncGenerator<T> {
  let failures = 0;
  let wasOpen = false;
  while (!signal.aborted) {
    try {
      for await (const item of read()) {
        failures = 0;
        wasOpen = true;
        yield item;
      }
    } catch (error) {
      if (signal.aborted) return;
      const isFinal = error instanceof FleetApiError && error.status !== null && error.status < 500;
      if (!wasOpen || isFinal || ++failures >= MOST_FAILURES) throw error;
    }
    if (isOver()) return;
    const pauseMs = Math.min(5_000, 50 * 2 ** failures) * (0.5 + Math.random());
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
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

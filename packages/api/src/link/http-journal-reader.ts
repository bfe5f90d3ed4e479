import type { ServerResponse } from "node:http";
import type { JournalItem, JournalReader } from "./journal-reader.ts";

/** A quiet stream gets a sign of life this often. */
const BEAT_MS = 15_000;
/** A reader that takes nothing for so long is cut off. */
const BLOCKED_MS = 30_000;
/** How long the last words may take to be sent. */
const LAST_WORDS_MS = 30_000;

/** The forms in which items are sent. */
const FORMS = {
  "application/x-ndjson": {
    text: (item: JournalItem) => `${JSON.stringify(item)}\n`,
    beat: "\n",
  },
  "text/event-stream": {
    text: (item: JournalItem) => {
      const [[kind, data] = ["", null]] = Object.entries(item);
      return `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
    },
    beat: ": alive\n\n",
  },
} as const;

/** A media type of a stream. */
export type StreamType = keyof typeof FORMS;

/** A client that reads items over HTTP. Nothing is kept for one that does not read: it is cut off, and can come back. */
export class HttpJournalReader implements JournalReader {
  /** Aborted when nobody reads any more. */
  readonly gone: AbortSignal;
  readonly mayRead: () => boolean;
  readonly #response: ServerResponse;
  readonly #form: (typeof FORMS)[StreamType];
  readonly #gone = new AbortController();
  readonly #beat: NodeJS.Timeout;
  readonly #blockedMs: number;
  #isOver = false;
  #drained: PromiseWithResolvers<void> | null = null;

  constructor(
    response: ServerResponse,
    type: StreamType,
    headers: Readonly<Record<string, string>>,
    mayRead: () => boolean,
    blockedMs = BLOCKED_MS,
  ) {
    this.#response = response;
    this.#form = FORMS[type];
    this.#blockedMs = blockedMs;
    this.gone = this.#gone.signal;
    this.mayRead = mayRead;
    response.writeHead(200, {
      ...headers,
      "content-type": type,
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    response.flushHeaders();
    const leave = (): void => this.#leave();
    response.on("close", leave);
    response.on("error", leave);
    response.on("drain", () => this.#drained?.resolve());
    this.#beat = setInterval(() => this.#onBeat(), BEAT_MS).unref();
  }

  async write(items: readonly JournalItem[]): Promise<void> {
    if (this.#isOver || items.length === 0) return;
    let text = "";
    for (const item of items) text += this.#form.text(item);
    if (this.#response.write(text)) return;
    this.#drained ??= Promise.withResolvers();
    const late = setTimeout(
      () => this.cutOff(`nothing was read for ${this.#blockedMs / 1000} s: go on after the last entry`),
      this.#blockedMs,
    );
    await this.#drained.promise;
    this.#drained = null;
    clearTimeout(late);
  }

  /** Ends a stream that is whole. */
  end(): void {
    if (this.#isOver) return;
    this.#response.end();
    this.#leave();
  }

  /** Ends a stream that could go on: the reader can come back with its last cursors. */
  cutOff(text: string): void {
    if (this.#isOver) return;
    this.#response.write(this.#form.text({ note: { kind: "cut-off", text } }));
    this.#response.end();
    setTimeout(() => this.#response.destroy(), LAST_WORDS_MS).unref();
    this.#leave();
  }

  /** Cuts the stream without a word, as of somebody who may not read any more. */
  destroy(): void {
    this.#response.destroy();
    this.#leave();
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#beat);
    this.#drained?.resolve();
    this.#gone.abort();
  }

  #onBeat(): void {
    if (!this.mayRead()) this.destroy();
    else if (this.#drained === null) this.#response.write(this.#form.beat);
  }
}

import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { JournalEntry, JournalNote } from "@fleet/client";

/** The end of a stream that is whole. */
interface End {
  readonly units: readonly { readonly unit: string; readonly how: string }[];
}

/** A reader of newline-delimited JSON of the journal that keeps all it reads. */
export class JournalStream {
  readonly entries: JournalEntry[] = [];
  readonly notes: JournalNote[] = [];
  /** The latest cursor of each machine. */
  readonly cursors = new Map<string, string>();
  /** Null: the stream goes on, or was broken off. */
  end: End | null = null;
  /** The status of the answer; 0 until it is there. */
  status = 0;
  /** Fulfilled when no more comes, for whatever reason. */
  readonly ended: Promise<void>;
  readonly #request: ClientRequest;
  #response: IncomingMessage | null = null;
  #text = "";

  constructor(url: string) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#request = request(url, { agent: false }, (response) => {
      this.status = response.statusCode ?? 0;
      this.#response = response;
      response.setEncoding("utf8");
      response.on("data", (text: string) => this.#take(text));
      response.on("close", resolve);
      response.on("error", () => resolve());
    });
    this.#request.on("error", () => resolve());
    this.#request.end();
  }

  /** Stops reading: what comes is left to the kernel. */
  pause(): void {
    this.#response?.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#response?.resume();
  }

  close(): void {
    this.#request.destroy();
  }

  #take(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") continue;
      const { entry, note, end } = JSON.parse(line) as { entry?: JournalEntry; note?: JournalNote; end?: End };
      if (entry !== undefined) {
        this.entries.push(entry);
        this.cursors.set(entry.machineID, entry.cursor);
      }
      if (note !== undefined) this.notes.push(note);
      if (end !== undefined) this.end = end;
    }
  }
}

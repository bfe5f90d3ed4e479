import { type FileHandle, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { additionLine, fileLines, type KeptEvents, type LogEntry, readEventFile } from "../model/event-entries.ts";

/** How much of a log is kept in a file. */
const MOST_BYTES = 16 * 1024 * 1024;
/** A file that is written anew may grow by so much, and to twice of its size, before it is again. */
const LEAST_GROWTH = 1024 * 1024;
/** How long nothing is written after that failed. */
const PAUSE_MS = 10_000;
/** Lines that are written at a stretch. */
const SLICE = 500;

/** What is written, and who hears of what goes wrong. */
export interface EventFileDeps {
  readonly directory: string;
  /** The log as it is now, of which a file is written anew. */
  readonly kept: () => KeptEvents;
  /** The cluster ID of the etcd that the log's revisions are of. */
  readonly clusterID: () => string;
  /** Hears that nothing can be written, once for a run of failures. */
  readonly onTrouble: (error: unknown) => void;
}

/**
 * The log of events in a file: appended to, and written anew from memory when it has grown, under another name first. So
 * it is never seen half written, and a failed write is made up for by the next whole one. Nothing waits for the disk.
 */
export class EventFile {
  readonly #deps: EventFileDeps;
  readonly #path: string;
  #file: FileHandle | null = null;
  #bytes = 0;
  #bytesAnew = 0;
  #pending: string[] = [];
  #isAnew = true;
  #writing: Promise<void> | null = null;
  #pausedUntil = 0;
  #hasFailed = false;

  constructor(deps: EventFileDeps) {
    this.#deps = deps;
    this.#path = pathIn(deps.directory);
  }

  /** Reads what the API before has left in a directory; null: nothing that can be used. */
  static async read(directory: string): Promise<ReturnType<typeof readEventFile>> {
    try {
      return readEventFile(await readFile(pathIn(directory), "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  /** Has the file hold what the log holds now, and no more. */
  writeAnew(): void {
    this.#isAnew = true;
    this.#writeSoon();
  }

  /** Has what has just come to the log written, too. */
  append(to: number, at: Date, entries: readonly LogEntry[]): void {
    if (entries.length === 0) return;
    this.#pending.push(additionLine(to, at.toISOString(), entries));
    this.#writeSoon();
  }

  /** Writes what is left, and up to where the log is complete. */
  async close(to: number, at: Date): Promise<void> {
    this.#pending.push(additionLine(to, at.toISOString(), []));
    this.#pausedUntil = 0;
    await this.#writing;
    this.#writeSoon();
    await this.#writing;
    await this.#file?.close();
    this.#file = null;
  }

  #writeSoon(): void {
    if (this.#writing !== null || performance.now() < this.#pausedUntil) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = null;
    });
  }

  async #write(): Promise<void> {
    try {
      while (this.#isAnew || this.#pending.length > 0) {
        if (this.#isAnew || this.#bytes > 2 * this.#bytesAnew + LEAST_GROWTH) await this.#replace();
        else await this.#writeOn();
      }
      this.#hasFailed = false;
    } catch (error) {
      // What was not written is in the log, of which the file is written anew.
      this.#isAnew = true;
      this.#pending = [];
      this.#pausedUntil = performance.now() + PAUSE_MS;
      if (!this.#hasFailed) this.#deps.onTrouble(error);
      this.#hasFailed = true;
    }
  }

  async #replace(): Promise<void> {
    this.#isAnew = false;
    this.#pending = [];
    const lines = fileLines(this.#deps.kept(), this.#deps.clusterID(), MOST_BYTES);
    await this.#file?.close();
    this.#file = null;
    const file = await open(`${this.#path}.new`, "w", 0o600);
    this.#file = file;
    this.#bytes = 0;
    for (let start = 0; start < lines.length; start += SLICE) {
      await this.#put(file, lines.slice(start, start + SLICE).join(""));
      await turn();
    }
    await rename(`${this.#path}.new`, this.#path);
    this.#bytesAnew = this.#bytes;
  }

  async #writeOn(): Promise<void> {
    const text = this.#pending.join("");
    this.#pending = [];
    if (this.#file === null) throw new Error(`${this.#path} is not open`);
    await this.#put(this.#file, text);
  }

  async #put(file: FileHandle, text: string): Promise<void> {
    await file.appendFile(text);
    this.#bytes += Buffer.byteLength(text);
  }
}

function pathIn(directory: string): string {
  return join(directory, "events.jsonl");
}

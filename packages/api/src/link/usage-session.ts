import type { ClusterState } from "@fleet/domain/cluster";
import type { JournalReader } from "./journal-reader.ts";
import type { LinkSession } from "./link-session.ts";
import type { Asker } from "./machine-journal.ts";
import { watchUsageOf } from "./machine-usage.ts";
import { News } from "./news.ts";

/** What one request for samples is answered from. */
export interface UsageSessionOptions {
  readonly state: ClusterState;
  readonly asker: Asker;
  /** Machines, by ID. None: all, also those that come. */
  readonly machines: readonly string[];
  readonly intervalMs: number;
  /** How many samples of each machine; 0: without end. */
  readonly count: number;
  readonly reader: JournalReader;
  /** Aborted: nobody reads any more. */
  readonly signal: AbortSignal;
}

/** One stream of what machines use: samples of each until there are as many as were asked for. */
export class UsageSession implements LinkSession {
  readonly #options: UsageSessionOptions;
  readonly #running = new Map<string, Promise<void>>();
  readonly #over = new AbortController();
  readonly #news = new News();
  #failure: { readonly error: unknown } | null = null;

  constructor(options: UsageSessionOptions) {
    this.#options = options;
  }

  isAbout(): boolean {
    return false;
  }

  wake(): void {
    this.#news.tell();
  }

  async run(): Promise<void> {
    const { state, machines, count, signal } = this.#options;
    const over = AbortSignal.any([signal, this.#over.signal]);
    if (machines.length > 0 || count > 0) {
      this.#begin(machines.length > 0 ? machines : state.machines.keys(), over);
    } else {
      while (!over.aborted) {
        this.#begin(state.machines.keys(), over);
        await this.#news.next(over, null);
      }
    }
    await Promise.all(this.#running.values());
    if (this.#failure !== null) throw this.#failure.error;
  }

  #begin(machines: Iterable<string>, over: AbortSignal): void {
    for (const machineID of machines)
      if (!this.#running.has(machineID)) this.#running.set(machineID, this.#follow(machineID, over));
  }

  /** Never rejects: an error that nobody had foreseen ends the whole stream. */
  async #follow(machineID: string, signal: AbortSignal): Promise<void> {
    const { state, asker, intervalMs, count, reader } = this.#options;
    try {
      for await (const sample of watchUsageOf(state, asker, { machineID, intervalMs, count, signal }))
        await reader.write([{ sample }]);
    } catch (error) {
      this.#failure ??= { error };
      this.#over.abort();
    }
  }
}

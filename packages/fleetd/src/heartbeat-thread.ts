import { getAsset, isSea } from "node:sea";
import { Worker } from "node:worker_threads";
import type { EtcdConfig } from "@fleet/config";
import { RegistryError, type RegistryErrorCode } from "@fleet/domain/cluster";

/** What the daemon's loop asks of the thread. */
export type HeartbeatRequest =
  | { readonly kind: "keep"; readonly number: number; readonly id: string; readonly ttlMs: number }
  | { readonly kind: "drop"; readonly id: string };

/** What the thread answers to a `keep`, by its number. */
export type HeartbeatAnswer =
  | { readonly number: number; readonly remaining: number }
  | { readonly number: number; readonly code: RegistryErrorCode; readonly message: string };

/** What is used of a thread. */
export interface HeartbeatWorker {
  postMessage(request: HeartbeatRequest): void;
  on(event: "message", listener: (answer: HeartbeatAnswer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "exit", listener: () => void): unknown;
  terminate(): Promise<unknown>;
}

/** The name under which scripts/dist.ts puts the thread's program into the executable. */
const ASSET = "heartbeat-worker.cjs";
/** Megabytes. The thread has one connection and one timer. */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

/** Starts the thread. It does not keep the process from ending. */
export function startHeartbeatWorker(etcd: EtcdConfig): HeartbeatWorker {
  const options = { workerData: etcd, resourceLimits: LIMITS, name: "heartbeat" };
  const here = import.meta.url;
  const worker = isSea()
    ? new Worker(getAsset(ASSET, "utf8"), { ...options, eval: true })
    : new Worker(new URL(`./heartbeat-worker${here.slice(here.lastIndexOf("."))}`, here), options);
  worker.unref();
  return worker;
}

/**
 * The daemon's side of the thread that keeps its machine's lease alive. A thread that fails is not started again: the
 * daemon's loop goes on without.
 */
export class HeartbeatThread {
  readonly #worker: HeartbeatWorker;
  readonly #waiting = new Map<number, PromiseWithResolvers<number>>();
  #asked = 0;
  #hasFailed = false;

  /** @param onFailed hears why the thread has ended by itself */
  constructor(worker: HeartbeatWorker, onFailed: (reason: string) => void) {
    this.#worker = worker;
    const failed = (reason: string): void => {
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      onFailed(reason);
      for (const { reject } of this.#waiting.values())
        reject(new RegistryError("unavailable", `the thread of the heart-beat has ended: ${reason}`));
      this.#waiting.clear();
    };
    worker.on("message", (answer) => this.#take(answer));
    worker.on("error", (error) => failed(error.message));
    worker.on("exit", () => failed("it was ended"));
  }

  /** False: the thread has ended. */
  get isThere(): boolean {
    return !this.#hasFailed;
  }

  /** Keeps a lease alive. Returns its remaining seconds; 0: it is gone. */
  keepAlive(id: string, ttlMs: number): Promise<number> {
    const number = ++this.#asked;
    const waiting = Promise.withResolvers<number>();
    this.#waiting.set(number, waiting);
    this.#worker.postMessage({ kind: "keep", number, id, ttlMs });
    return waiting.promise;
  }

  /** Has the thread leave a lease to itself. */
  drop(id: string): void {
    this.#worker.postMessage({ kind: "drop", id });
  }

  close(): void {
    this.#hasFailed = true;
    void this.#worker.terminate();
  }

  #take(answer: HeartbeatAnswer): void {
    const waiting = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    if ("remaining" in answer) waiting?.resolve(answer.remaining);
    else waiting?.reject(new RegistryError(answer.code, answer.message));
  }
}

import { RegistryError } from "@fleet/domain/cluster";
import type { OpenedStream } from "./etcd3-endpoint.ts";

/** What is needed of a gRPC keep-alive stream. */
interface KeepAliveCall {
  write(request: { ID: string }): unknown;
  on(event: "data", listener: (response: { ID: string; TTL: string }) => void): unknown;
  on(event: "error" | "end", listener: (error?: unknown) => void): unknown;
  cancel(): void;
}

/** Opens the stream. */
export type OpenKeepAlive = () => Promise<OpenedStream<KeepAliveCall>>;

/** A stream that is being opened, or is open. */
type Opening = Promise<OpenedStream<KeepAliveCall>>;

/** Keeps leases alive over one stream, opened when first needed and anew after it broke or fell silent. */
export class LeaseStream {
  readonly #open: OpenKeepAlive;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<string, { resolve: (ttl: number) => void; reject: (error: unknown) => void }>();
  #current: Opening | null = null;

  constructor(open: OpenKeepAlive, timeoutMs: number) {
    this.#open = open;
    this.#timeoutMs = timeoutMs;
  }

  /** @returns the lease's remaining seconds; 0: it is gone */
  async keepAlive(id: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const askedAt = performance.now();
    const opening = this.#current ?? this.#connect();
    const timer = setTimeout(() => {
      this.#fail(opening, new RegistryError("timeout", "etcd did not answer a lease's keep-alive in time"));
      opening.then(({ unanswered }) => unanswered(askedAt), ignore);
    }, this.#timeoutMs);
    this.#waiting.set(id, { resolve, reject });
    promise.catch(ignore); // it may fail while the stream is still being opened, with nobody waiting for it yet
    try {
      (await opening).stream.write({ ID: id });
      return await promise;
    } catch (error) {
      this.#fail(opening, error);
      throw error;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  close(): void {
    if (this.#current !== null)
      this.#fail(this.#current, new RegistryError("closed", "the etcd client has been closed"));
  }

  #connect(): Opening {
    const opening = this.#open();
    this.#current = opening;
    opening.then(({ stream }) => {
      stream.on("data", ({ ID, TTL }) => this.#waiting.get(ID)?.resolve(Number(TTL)));
      stream.on("error", (error) => this.#fail(opening, error));
      stream.on("end", () =>
        this.#fail(opening, new RegistryError("unavailable", "etcd closed the keep-alive stream")),
      );
    }, ignore);
    return opening;
  }

  /** An older stream's word, which may come late, says nothing of the present one. */
  #fail(opening: Opening, error: unknown): void {
    if (this.#current !== opening) return;
    this.#current = null;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    opening.then(({ stream, release }) => {
      release();
      stream.cancel();
    }, ignore);
  }
}

function ignore(): void {}

import { RegistryError } from "@fleet/domain/cluster";

/** What is needed of a gRPC keep-alive stream. */
interface KeepAliveCall {
  write(request: { ID: string }): unknown;
  on(event: "data", listener: (response: { ID: string; TTL: string }) => void): unknown;
  on(event: "error" | "end", listener: (error?: unknown) => void): unknown;
  cancel(): void;
}

/** Keeps leases alive over one stream, opened when first needed and anew after it broke or fell silent. */
export class LeaseStream {
  readonly #open: () => Promise<unknown>;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<string, { resolve: (ttl: number) => void; reject: (error: unknown) => void }>();
  #call: Promise<KeepAliveCall> | null = null;

  constructor(open: () => Promise<unknown>, timeoutMs: number) {
    this.#open = open;
    this.#timeoutMs = timeoutMs;
  }

  /** @returns the lease's remaining seconds; 0: it is gone */
  async keepAlive(id: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(
      () => this.#fail(new RegistryError("timeout", "etcd did not answer a lease's keep-alive in time")),
      this.#timeoutMs,
    );
    this.#waiting.set(id, { resolve, reject });
    promise.catch(() => undefined); // it may fail while the stream is still being opened, with nobody waiting for it yet
    try {
      this.#call ??= this.#connect();
      (await this.#call).write({ ID: id });
      return await promise;
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#fail(new RegistryError("closed", "the etcd client has been closed"));
  }

  async #connect(): Promise<KeepAliveCall> {
    const call = (await this.#open()) as KeepAliveCall;
    let isOver = false;
    const fail = (error: unknown): void => {
      if (!isOver) this.#fail(error); // 'end' follows 'error', and by then a new stream may be open
      isOver = true;
    };
    call.on("data", ({ ID, TTL }) => this.#waiting.get(ID)?.resolve(Number(TTL)));
    call.on("error", (error) => fail(error));
    call.on("end", () => fail(new RegistryError("unavailable", "etcd closed the keep-alive stream")));
    return call;
  }

  #fail(error: unknown): void {
    const call = this.#call;
    this.#call = null;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    call?.then(
      (open) => open.cancel(),
      () => undefined,
    );
  }
}

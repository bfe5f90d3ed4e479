import type { EtcdConfig } from "@fleet/config";
import { type Compare, type KeyRange, type Op, RegistryError } from "@fleet/domain/cluster";
import type { Etcd3 } from "etcd3";
import type { Etcd, RangeOptions, RangePage, TxnResult, WatchBatch } from "./etcd.ts";
import { type AskedAt, EtcdHistory } from "./etcd-history.ts";
import { EtcdSession } from "./etcd-session.ts";
import { Etcd3Endpoint } from "./etcd3-endpoint.ts";
import { isRefusedToken, registryError, wasNeverSent } from "./etcd3-errors.ts";
import { LeaseStream } from "./etcd3-lease-stream.ts";
import { compareRequest, keyValueOf, opRequests, positionOf } from "./etcd3-translation.ts";
import { RangeWatch, WatchCanceled } from "./etcd3-watch.ts";

/** etcd through the etcd3 library's raw clients. */
export class Etcd3Client implements Etcd {
  readonly history = new EtcdHistory();
  /** The library would choose among them by a throw of the dice for each request. */
  readonly #endpoints: readonly Etcd3Endpoint[];
  /** The endpoint that answered last. */
  #current = 0;
  readonly #config: EtcdConfig;
  readonly #leases: LeaseStream;
  /** Null where etcd wants no login. */
  readonly #session: EtcdSession | null;
  readonly #watches = new Set<() => void>();

  constructor(config: EtcdConfig) {
    this.#config = config;
    this.#session = config.auth === null ? null : new EtcdSession(() => this.#login());
    const token = (): string | null => this.#session?.token ?? null;
    this.#endpoints = config.servers.map((server) => new Etcd3Endpoint(config, server, token));
    this.#leases = new LeaseStream(async () => {
      await this.#session?.ready();
      return this.#endpoint.open((client) => client.leaseClient.leaseKeepAlive());
    }, config.requestTimeoutMs);
  }

  get #endpoint(): Etcd3Endpoint {
    const endpoint = this.#endpoints[this.#current];
    if (endpoint === undefined) throw new RegistryError("unexpected", "no etcd endpoint is configured");
    return endpoint;
  }
  get #client(): Etcd3 {
    return this.#endpoint.client;
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangePage> {
    const { after, limit = 0, revision, keysOnly = false, patience = 1 } = options;
    const asked = this.history.asking();
    const response = await this.#call(true, () =>
      this.#client.kv.range(
        {
          key: Buffer.from(after === undefined ? range.start : `${after}\0`),
          range_end: Buffer.from(range.end),
          limit,
          revision: revision ?? 0,
          keys_only: keysOnly,
        },
        patience === 1 ? undefined : { deadline: Date.now() + patience * this.#config.requestTimeoutMs },
      ),
    );
    this.#note(response.header, asked);
    return {
      keyValues: response.kvs.map(keyValueOf),
      count: Number(response.count),
      more: response.more,
      revision: revision ?? Number(response.header.revision),
    };
  }

  async txn(compares: readonly Compare[], ops: readonly Op[], otherwise: readonly Op[] = []): Promise<TxnResult> {
    const sentAt = this.history.asking();
    const response = await this.#call(false, () =>
      this.#client.kv.txn({
        compare: compares.map(compareRequest),
        success: opRequests(compares, ops),
        failure: opRequests(compares, otherwise),
      }),
    );
    this.#note(response.header, sentAt);
    const asked = response.succeeded ? ops : otherwise;
    const gets = response.responses
      .slice(0, asked.length)
      .flatMap((entry) => (entry.response_range ? [entry.response_range.kvs[0]] : []))
      .map((found) => (found === undefined ? null : keyValueOf(found)));
    return { succeeded: response.succeeded, revision: Number(response.header.revision), gets };
  }

  async watch(
    ranges: readonly { readonly range: KeyRange; readonly from: number }[],
    signal: AbortSignal,
    onBatch: (batch: WatchBatch) => void,
    onOpen: () => void,
  ): Promise<void> {
    signal.throwIfAborted();
    const asked = this.#current;
    await this.#session?.ready().catch((error: unknown) => {
      this.#turnFrom(asked);
      throw registryError(error, this.#config.servers);
    });
    const { stream, release } = await this.#endpoint
      .open((client) => client.watchClient.watch())
      .catch((error: unknown) => {
        throw registryError(error, this.#config.servers);
      });
    const watch = new RangeWatch(stream, ranges, onBatch, onOpen, (header) => this.#note(header, null));
    const stop = (): void => watch.stop();
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    this.#watches.add(stop);
    try {
      await watch.over;
    } catch (error) {
      const translated =
        error instanceof WatchCanceled ? this.#canceled(error) : registryError(error, this.#config.servers);
      if (translated.code === "unavailable") this.#turnFrom(asked);
      throw translated;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#watches.delete(stop);
      release();
      stream.cancel();
    }
  }

  async grantLease(ttlSeconds: number): Promise<string> {
    const { ID } = await this.#call(true, () => this.#client.leaseClient.leaseGrant({ TTL: ttlSeconds }));
    return ID;
  }

  async keepLeaseAlive(id: string): Promise<number> {
    const asked = this.#current;
    try {
      return await this.#leases.keepAlive(id);
    } catch (error) {
      const translated = registryError(error, this.#config.servers);
      if (translated.code === "unavailable" || translated.code === "timeout") this.#turnFrom(asked);
      throw translated;
    }
  }

  async revokeLease(id: string): Promise<void> {
    try {
      await this.#call(true, () => this.#client.leaseClient.leaseRevoke({ ID: id }));
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== "lease-lost") throw error;
    }
  }

  async #login(): Promise<string> {
    const { auth } = this.#config;
    if (auth === null) throw new RegistryError("unexpected", "there is nobody to log in as");
    const { username: name, password } = auth;
    let last: unknown;
    for (let tries = 0; tries < this.#endpoints.length; tries++) {
      const asked = this.#current;
      try {
        return (await this.#client.auth.authenticate({ name, password })).token;
      } catch (error) {
        last = error;
        const { code } = registryError(error, this.#config.servers);
        if (code !== "unavailable" && code !== "timeout") break;
        this.#turnFrom(asked);
      }
    }
    throw last;
  }

  close(): void {
    for (const stop of this.#watches) stop();
    this.#leases.close();
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  /**
   * Sends a request; to another endpoint where one is down. What may have been carried out already is not sent twice,
   * unless it does no harm (`isRepeatable`).
   */
  async #call<T>(isRepeatable: boolean, send: () => Promise<T>): Promise<T> {
    let logins = 0;
    for (let attempt = 1; ; attempt++) {
      const asked = this.#current;
      const endpoint = this.#endpoint;
      const askedAt = performance.now();
      let token: string | null = null;
      try {
        await this.#session?.ready();
        token = this.#session?.token ?? null;
        return await send();
      } catch (error) {
        if (token !== null && isRefusedToken(error)) {
          // etcd looks at the token before it does anything: the request was not carried out.
          this.#session?.refuse(token);
          if (logins++ < MOST_LOGINS) {
            attempt--;
            continue;
          }
        }
        const translated = registryError(error, this.#config.servers);
        if (translated.code === "timeout") endpoint.unanswered(askedAt);
        if (translated.code === "unavailable" || translated.code === "timeout") this.#turnFrom(asked);
        const maySendAgain = wasNeverSent(error) || (isRepeatable && translated.code === "unavailable");
        if (attempt >= this.#endpoints.length || !maySendAgain) throw translated;
      }
    }
  }

  #note(header: Parameters<typeof positionOf>[0], asked: AskedAt | null): void {
    const position = positionOf(header);
    if (position !== null) this.history.take(position, asked);
  }

  /** Goes on to the next endpoint, unless another request has done so already. */
  #turnFrom(failed: number): void {
    if (this.#current === failed) this.#current = (failed + 1) % this.#endpoints.length;
  }

  #canceled({ reason }: WatchCanceled): RegistryError {
    // A watch with a token that has run out is told that it is not permitted.
    if (isRefusedToken(new Error(reason)) || /permission denied/i.test(reason)) {
      this.#session?.refuse(this.#session.token);
    }
    return registryError(new Error(reason || "the watch was canceled"), this.#config.servers);
  }
}

/** How often a token that etcd refuses is replaced for one request. */
const MOST_LOGINS = 2;

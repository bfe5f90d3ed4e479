import type { EtcdConfig } from "@fleet/config";
import { type Compare, type KeyRange, type KeyValue, type Op, RegistryError } from "@fleet/domain/cluster";
import { type ChannelOptions, InterceptingCall, type Interceptor, ListenerBuilder, type Metadata } from "@grpc/grpc-js";
import { noop } from "cockatiel";
import { Etcd3, type ICompare, type IKeyValue, type IOptions, type IRequestOp } from "etcd3";
import type { Etcd, RangePage, TxnResult, WatchBatch, WatchEvent } from "./etcd.ts";
import { EtcdSession } from "./etcd-session.ts";
import { isRefusedToken, registryError, STALE_LOGIN, wasNeverSent } from "./etcd3-errors.ts";
import { LeaseStream } from "./etcd3-lease-stream.ts";
import { SecureEtcd3, tlsFor } from "./etcd3-secure.ts";

/** Tells etcd to refuse rather than hang when it has no leader: a watch or keep-alive would else be silent for ever. */
const REQUIRE_LEADER: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata: Metadata, listener, next) {
      metadata.set("hasleader", "true");
      next(metadata, listener);
    },
  });

/** Shows etcd who asks. A login itself has no token to show. */
const withToken =
  (token: () => string | null): Interceptor =>
  (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata: Metadata, _listener, next) {
        const known = options.method_definition.path.endsWith("/Authenticate") ? null : token();
        if (known !== null) metadata.set("token", known);
        next(
          metadata,
          new ListenerBuilder()
            .withOnReceiveStatus((status, pass) => {
              // Under its own name the library would send the request again and again, with the same token.
              pass(isRefusedToken(new Error(status.details)) ? { ...status, details: STALE_LOGIN } : status);
            })
            .build(),
        );
      },
    });

const GRPC_OPTIONS = {
  "grpc.max_receive_message_length": 256 * 1024 * 1024,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 3_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
};

/** etcd through the etcd3 library's raw clients: the only file that knows their shapes. */
export class Etcd3Client implements Etcd {
  /** One client for each endpoint: the library's own choice among several is a throw of the dice for each request. */
  readonly #clients: readonly Etcd3[];
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
    this.#clients = config.servers.map((server) => makeClient(config, server, () => this.#session?.token ?? null));
    this.#leases = new LeaseStream(async () => {
      await this.#session?.ready();
      return this.#client.leaseClient.leaseKeepAlive();
    }, config.requestTimeoutMs);
  }

  get #client(): Etcd3 {
    const client = this.#clients[this.#current];
    if (client === undefined) throw new RegistryError("unexpected", "no etcd endpoint is configured");
    return client;
  }

  async range(
    range: KeyRange,
    { after, limit = 0, revision }: { after?: string; limit?: number; revision?: number } = {},
  ): Promise<RangePage> {
    const response = await this.#call(true, () =>
      this.#client.kv.range({
        key: Buffer.from(after === undefined ? range.start : `${after}\0`),
        range_end: Buffer.from(range.end),
        limit,
        revision: revision ?? 0,
      }),
    );
    return {
      keyValues: response.kvs.map(keyValue),
      more: response.more,
      revision: revision ?? Number(response.header.revision),
    };
  }

  async txn(compares: readonly Compare[], ops: readonly Op[], otherwise: readonly Op[] = []): Promise<TxnResult> {
    const response = await this.#call(false, () =>
      this.#client.kv.txn({
        compare: compares.map(compare),
        success: confirmed(compares, ops),
        failure: confirmed(compares, otherwise),
      }),
    );
    const asked = response.succeeded ? ops : otherwise;
    const gets = response.responses
      .slice(0, asked.length)
      .flatMap((entry) => (entry.response_range ? [entry.response_range.kvs[0]] : []))
      .map((found) => (found === undefined ? null : keyValue(found)));
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
    const stream = await this.#client.watchClient.watch().catch((error: unknown) => {
      throw registryError(error, this.#config.servers);
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = (): void => resolve();
    const partial = new Map<number, WatchEvent[]>();
    stream.on("error", (error: unknown) => reject(registryError(error, this.#config.servers)));
    stream.on("end", () => reject(new RegistryError("unavailable", "etcd closed the watch")));
    let isOver = false;
    let created = 0;
    stream.on("data", (response) => {
      if (isOver) return;
      if (response.canceled) {
        reject(this.#watchCanceled(Number(response.compact_revision), response.cancel_reason ?? ""));
        return;
      }
      if (response.created) {
        if (++created === ranges.length) onOpen();
        return;
      }
      const range = Number(response.watch_id) - 1;
      const events = response.events.map(watchEvent);
      // While a watch catches up the header tells of the present, not of what was delivered: only the events do.
      const before = partial.get(range) ?? [];
      if ((response as { fragment?: boolean }).fragment) {
        partial.set(range, [...before, ...events]);
        return;
      }
      partial.delete(range);
      const all = before.length > 0 ? [...before, ...events] : events;
      const last = all.at(-1);
      const revision =
        last === undefined
          ? Number(response.header.revision)
          : last.kind === "put"
            ? last.keyValue.modRevision
            : last.revision;
      onBatch({ range, revision, events: all });
    });
    for (const [index, { range, from }] of ranges.entries()) {
      const request = {
        key: Buffer.from(range.start),
        range_end: Buffer.from(range.end),
        start_revision: String(from),
        progress_notify: true,
        fragment: true,
        watch_id: index + 1,
      };
      stream.write({ create_request: request as never });
    }
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    this.#watches.add(stop);
    try {
      await promise;
    } catch (error) {
      if (error instanceof RegistryError && error.code === "unavailable") this.#turnFrom(asked);
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#watches.delete(stop);
      isOver = true;
      stream.cancel();
    }
  }

  async grantLease(ttlSeconds: number): Promise<string> {
    const { ID } = await this.#call(true, () => this.#client.leaseClient.leaseGrant({ TTL: ttlSeconds }));
    return ID;
  }

  async keepLeaseAlive(id: string): Promise<number> {
    try {
      return await this.#leases.keepAlive(id);
    } catch (error) {
      throw registryError(error, this.#config.servers);
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
    for (let tries = 0; tries < this.#clients.length; tries++) {
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
    for (const client of this.#clients) client.close();
  }

  /**
   * Sends a request; to another endpoint where one is down. What may have been carried out already is not sent twice,
   * unless it does no harm (`isRepeatable`).
   */
  async #call<T>(isRepeatable: boolean, send: () => Promise<T>): Promise<T> {
    let logins = 0;
    for (let attempt = 1; ; attempt++) {
      const asked = this.#current;
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
        if (translated.code === "unavailable" || translated.code === "timeout") this.#turnFrom(asked);
        const maySendAgain = wasNeverSent(error) || (isRepeatable && translated.code === "unavailable");
        if (attempt >= this.#clients.length || !maySendAgain) throw translated;
      }
    }
  }

  /** Goes on to the next endpoint, unless another request has done so already. */
  #turnFrom(failed: number): void {
    if (this.#current === failed) this.#current = (failed + 1) % this.#clients.length;
  }

  #watchCanceled(compactRevision: number, cancelReason: string): RegistryError {
    if (compactRevision > 0) return new RegistryError("compacted", "etcd has compacted the revision to watch from");
    // A watch with a token that has run out is told that it is not permitted.
    if (isRefusedToken(new Error(cancelReason)) || /permission denied/i.test(cancelReason)) {
      this.#session?.refuse(this.#session.token);
    }
    return registryError(new Error(cancelReason || "the watch was canceled"), this.#config.servers);
  }
}

/** How often a token that etcd refuses is replaced for one request. */
const MOST_LOGINS = 2;

/** @param token what a login has brought; null: there was none */
function makeClient(config: EtcdConfig, server: string, token: () => string | null): Etcd3 {
  if (!server.startsWith("https:")) return new Etcd3(clientOptions(config, server, {}, token));
  const { credentials, options } = tlsFor(config.tls, server);
  return new SecureEtcd3(clientOptions(config, server, options, token), credentials);
}

function clientOptions(config: EtcdConfig, server: string, more: ChannelOptions, token: () => string | null): IOptions {
  const interceptors = config.auth === null ? [REQUIRE_LEADER] : [REQUIRE_LEADER, withToken(token)];
  return {
    hosts: server,
    grpcOptions: { ...GRPC_OPTIONS, ...more } as typeof GRPC_OPTIONS,
    // The library's own retries repeat writes that may have been carried out, and its breaker refuses calls that would
    // succeed: fleet decides itself what may be sent again.
    faultHandling: { host: () => noop, global: noop },
    defaultCallOptions: ({ isStream }) =>
      isStream ? { interceptors } : { deadline: Date.now() + config.requestTimeoutMs, interceptors },
  };
}

function keyValue({ key, value, create_revision, mod_revision }: IKeyValue): KeyValue {
  return {
    key: key.toString(),
    value: value.toString(),
    createRevision: Number(create_revision),
    modRevision: Number(mod_revision),
  };
}

function watchEvent({ type, kv }: { type: unknown; kv: IKeyValue }): WatchEvent {
  return type === "Delete" || type === "DELETE"
    ? { kind: "delete", key: kv.key.toString(), revision: Number(kv.mod_revision) }
    : { kind: "put", keyValue: keyValue(kv) };
}

function compare(condition: Compare): ICompare {
  const key = Buffer.from(condition.key);
  return "modRevision" in condition
    ? { key, target: "Mod", result: "Equal", mod_revision: condition.modRevision }
    : { key, target: "Create", result: "Equal", create_revision: condition.createRevision };
}

/** A transaction that changes nothing is answered by etcd without a quorum, maybe from the past, unless it reads. */
function confirmed(compares: readonly Compare[], ops: readonly Op[]): IRequestOp[] {
  const requests = ops.map(request);
  const first = compares[0];
  if (ops.length === 0 && first !== undefined) {
    requests.push({ request_range: { key: Buffer.from(first.key), keys_only: true } });
  }
  return requests;
}

function request(op: Op): IRequestOp {
  if ("put" in op) {
    const key = Buffer.from(op.put);
    return {
      request_put: { key, value: Buffer.from(op.value), ...(op.lease === undefined ? {} : { lease: op.lease }) },
    };
  }
  if ("delete" in op) return { request_delete_range: { key: Buffer.from(op.delete) } };
  return { request_range: { key: Buffer.from(op.get) } };
}

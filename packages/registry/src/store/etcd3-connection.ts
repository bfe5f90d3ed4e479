import type { EtcdConfig } from "@fleet/config";
import {
  Channel,
  credentials,
  InterceptingCall,
  type Interceptor,
  type InterceptorOptions,
  ListenerBuilder,
  type Metadata,
} from "@grpc/grpc-js";
import { noop } from "cockatiel";
import { Etcd3, type IOptions } from "etcd3";
import { isRefusedToken, STALE_LOGIN } from "./etcd3-errors.ts";
import { READERS } from "./etcd3-messages.ts";
import { tlsFor } from "./etcd3-secure.ts";

/**
 * Has the frequent answers read by READERS. grpc-js makes a description of its method for each call, shows it to
 * interceptors, and looks into it when an answer comes. Where a later version does not, or calls a method otherwise,
 * etcd3's own reading stays: the answers of both mean the same to etcd3-translation.ts.
 */
export function readDirectly(method: InterceptorOptions["method_definition"]): void {
  const read = READERS.get(method.path);
  if (read !== undefined && typeof method.responseDeserialize === "function") method.responseDeserialize = read;
}

/**
 * Of every call. It tells etcd to refuse rather than hang when it has no leader: a watch would else be silent for ever.
 *
 * @param heard called whenever something came
 */
const everyCall =
  (heard: () => void): Interceptor =>
  (options, nextCall) => {
    readDirectly(options.method_definition);
    return new InterceptingCall(nextCall(options), {
      start(metadata: Metadata, _listener, next) {
        metadata.set("hasleader", "true");
        next(
          metadata,
          new ListenerBuilder()
            .withOnReceiveMetadata((received, pass) => {
              heard();
              pass(received);
            })
            .withOnReceiveMessage((message, pass) => {
              heard();
              pass(message);
            })
            .build(),
        );
      },
    });
  };

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
  // Closing a channel then ends its connection, and a new one makes a new one.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.max_receive_message_length": 256 * 1024 * 1024,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 3_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
};

/** A connection to one endpoint: TCP connects when something is sent, and anew after it broke. */
export interface Connection {
  readonly client: Etcd3;
  /** When something last came from etcd, by performance.now(); when it was made, where nothing has. */
  readonly heardAt: number;
  close(): void;
}

/**
 * A connection to one endpoint, set up as fleet needs it; nothing is sent yet.
 *
 * @param token what a login has brought; null: there was none
 */
export function connectionTo(config: EtcdConfig, server: string, token: () => string | null): Connection {
  const { credentials: trust, options } = server.startsWith("https:")
    ? tlsFor(config.tls, server)
    : { credentials: credentials.createInsecure(), options: {} };
  const channel = new Channel(new URL(server).host, trust, { ...GRPC_OPTIONS, ...options });
  let heardAt = performance.now();
  const everyAnswer = everyCall(() => {
    heardAt = performance.now();
  });
  const client = new Etcd3(clientOptions(config, server, channel, [everyAnswer, ...login(config, token)]));
  keepChannel(client);
  return {
    client,
    get heardAt() {
      return heardAt;
    },
    close: () => {
      client.close();
      channel.close();
    },
  };
}

const login = (config: EtcdConfig, token: () => string | null): readonly Interceptor[] =>
  config.auth === null ? [] : [withToken(token)];

/**
 * Keeps the library from closing the channels of an endpoint after any error of any call, also of a watch that was ended
 * on purpose. A closed channel's streams live on until the ping ten seconds later fails, which is the next error: the
 * connection would be dropped every ten seconds from then on.
 */
function keepChannel(client: Etcd3): void {
  const { pool } = client as unknown as {
    readonly pool: { readonly hosts: readonly { cachedServices: object; resetAllServices: () => void }[] };
  };
  for (const host of pool.hosts) {
    host.resetAllServices = () => {
      host.cachedServices = {};
    };
  }
}

function clientOptions(
  config: EtcdConfig,
  server: string,
  channel: Channel,
  interceptors: readonly Interceptor[],
): IOptions {
  const common = { interceptors: [...interceptors] };
  return {
    hosts: server,
    // All services by one channel, and so by one connection.
    grpcOptions: { channelOverride: channel } as NonNullable<IOptions["grpcOptions"]>,
    // The library's own retries repeat writes that may have been carried out, and its breaker refuses calls that would
    // succeed: fleet decides itself what may be sent again.
    faultHandling: { host: () => noop, global: noop },
    defaultCallOptions: ({ isStream }) =>
      isStream ? common : { deadline: Date.now() + config.requestTimeoutMs, ...common },
  };
}

import type { EtcdConfig } from "@fleet/config";
import {
  type ChannelOptions,
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
import { SecureEtcd3, tlsFor } from "./etcd3-secure.ts";

/**
 * Has the frequent answers read by READERS. grpc-js makes a description of its method for each call, shows it to
 * interceptors, and looks into it when an answer comes. Where a later version does not, or calls a method otherwise,
 * etcd3's own reading stays: the answers of both mean the same to etcd3-translation.ts.
 */
export function readDirectly(method: InterceptorOptions["method_definition"]): void {
  const read = READERS.get(method.path);
  if (read !== undefined && typeof method.responseDeserialize === "function") method.responseDeserialize = read;
}

/** Of every call. It tells etcd to refuse rather than hang when it has no leader: a watch would else be silent for ever. */
const EVERY_CALL: Interceptor = (options, nextCall) => {
  readDirectly(options.method_definition);
  return new InterceptingCall(nextCall(options), {
    start(metadata: Metadata, listener, next) {
      metadata.set("hasleader", "true");
      next(metadata, listener);
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
  "grpc.max_receive_message_length": 256 * 1024 * 1024,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 3_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
};

/**
 * A client of one endpoint, set up as fleet needs it; nothing is sent yet.
 *
 * @param token what a login has brought; null: there was none
 */
export function connect(config: EtcdConfig, server: string, token: () => string | null): Etcd3 {
  if (!server.startsWith("https:")) return new Etcd3(clientOptions(config, server, {}, token));
  const { credentials, options } = tlsFor(config.tls, server);
  return new SecureEtcd3(clientOptions(config, server, options, token), credentials);
}

function clientOptions(config: EtcdConfig, server: string, more: ChannelOptions, token: () => string | null): IOptions {
  const interceptors = config.auth === null ? [EVERY_CALL] : [EVERY_CALL, withToken(token)];
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

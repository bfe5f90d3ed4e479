import { setTimeout as sleep } from "node:timers/promises";
import { type Config, VERSION } from "@fleet/config";
import type { ClusterState, KnownUnit } from "@fleet/domain/cluster";
import type { Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";
import { Access } from "./http/access.ts";
import { buildApp } from "./http/app.ts";
import { EventReaders } from "./http/event-readers.ts";
import { type Listener, openSockets, passedSockets } from "./http/sockets.ts";
import { ClusterView } from "./model/cluster-view.ts";
import { EventLog } from "./model/event-log.ts";

/** What the API is built from. */
export interface ApiOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly log: BaseLogger;
  /** False while the registry can't be used; requests are then answered with 503. */
  readonly isHealthy: () => boolean;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Hears of how many of its sockets others can reach without TLS. */
  readonly onListening?: (exposed: number) => void;
}

/** A running API. */
export interface RunningApi {
  /** Fulfilled once its sockets are open; rejected where one can't be opened. */
  readonly ready: Promise<void>;
  /** Takes over what can change without a restart. */
  reload(config: Config): void;
  /** Its state, for a dump. */
  snapshot(): unknown;
  /** Stops answering: open requests are finished, within limits. */
  stop(): Promise<void>;
}

/** How long an answer to a write may wait for this API's own view; where that is further behind the answer is an error. */
const MOST_BEHIND_MS = 5_000;
/** How long requests may wait at a start for the registry to be read; after that they are answered with 503. */
const FIRST_LIST_MS = 5_000;

/** Starts serving API v1 on the sockets that systemd passed, and on those that are configured. */
export function startApi(options: ApiOptions): RunningApi {
  const { config, registry, log, isHealthy, metrics, onListening = () => undefined } = options;
  let current = config;
  let access = config.apiTokens === null ? null : new Access(config.apiTokens);
  const stopping = new AbortController();
  const mirror = registry.mirror({
    ranges: registry.keys.apiRanges(),
    pollMs: config.disableWatches ? 500 : null,
    inOrder: true,
    onTrouble: (error) =>
      log.warn({ code: error.code }, `the API's view of the registry is interrupted: ${error.message}`),
  });
  const view = new ClusterView(mirror.state);
  const events = new EventLog();
  const readers = new EventReaders(events);
  mirror.onChanges((changes, revision, isGap) => {
    view.apply(changes);
    events.append(changes, revision, new Date(), isGap);
    readers.wake();
  });
  void mirror.ready.then(() => events.start(mirror.revision));
  const app = buildApp({
    registry,
    mirror,
    view,
    readers,
    writer: registry.unitWriter((name) => knownUnit(mirror.state, registry.keys.unit(name), name)),
    version: VERSION,
    tokenLimit: () => current.tokenLimit,
    access: () => access,
    writeTimeoutMs: Math.max(MOST_BEHIND_MS, config.etcd.requestTimeoutMs),
    isHealthy: () => mirror.isReady && isHealthy(),
    metrics,
    onUnexpected: (error, request) => log.error({ err: error, ...request }, "a request failed unexpectedly"),
    onAnswered: (request) => log.debug(request, "request"),
  });
  const done = mirror.run(stopping.signal);
  let listeners: readonly Listener[] = [];
  const listen = async (): Promise<void> => {
    await app.ready();
    // systemd's sockets hold connections meanwhile; a server that listened at once would turn them away.
    const pause = sleep(FIRST_LIST_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    await Promise.race([mirror.ready, pause]);
    if (stopping.signal.aborted) return;
    const passed = passedSockets(process.env, process.pid);
    listeners = await openSockets({
      handler: (request, response) => app.routing(request, response),
      version: VERSION,
      passed,
      addresses: config.apiListen,
      tls: config.apiTls,
    });
    if (listeners.length === 0) {
      log.warn("the API listens nowhere: no socket was passed by systemd, and option api_listen names none");
    }
    for (const { address, isSecure, isExposed } of listeners) {
      log.info({ address, tls: isSecure }, "the API is listening");
      if (isExposed) {
        log.warn(
          { address },
          `the API listens on ${address} without TLS: whoever reaches it can read along, and without api_tokens_file run anything on every machine`,
        );
      }
    }
    onListening(listeners.filter(({ isExposed }) => isExposed).length);
  };
  const ready = listen();
  return {
    ready,
    reload: (next) => {
      current = next;
      access = next.apiTokens === null ? null : new Access(next.apiTokens);
    },
    snapshot: () => ({
      revision: mirror.revision,
      isConnected: mirror.isConnected,
      units: mirror.state.units.size,
      machines: mirror.state.machines.size,
      eventReaders: readers.count,
      addresses: listeners.map(({ address }) => address),
    }),
    stop: async () => {
      readers.close();
      await Promise.all(listeners.map((listener) => listener.close()));
      stopping.abort();
      await ready.catch(() => undefined);
      await done;
      await app.close();
    },
  };
}

/** Undefined where memory can't tell: not listed yet, or a record nobody understands. */
function knownUnit(state: ClusterState, key: string, name: string): KnownUnit | null | undefined {
  const record = state.units.get(name);
  if (record === undefined) return state.malformed.has(key) ? undefined : null;
  return { record, text: state.unitFiles.get(record.hash)?.text ?? null };
}

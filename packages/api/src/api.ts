import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, VERSION } from "@fleet/config";
import type { ClusterState, KnownUnit } from "@fleet/domain/cluster";
import type { Mirror, ReadAnew, Registry } from "@fleet/registry";
import type { FastifyInstance } from "fastify";
import type { BaseLogger } from "pino";
import { Access } from "./http/access.ts";
import { buildApp } from "./http/app.ts";
import { AuditLog } from "./http/audit-log.ts";
import { EventReaders } from "./http/event-readers.ts";
import type { AnsweredRequest } from "./http/server-hooks.ts";
import { type Listener, openSockets, passedSockets } from "./http/sockets.ts";
import { LinkSessions } from "./link/link-sessions.ts";
import type { Asker } from "./link/machine-journal.ts";
import { ClusterView } from "./model/cluster-view.ts";
import { type ChangeBatch, EventLog } from "./model/event-log.ts";
import { exposureWarnings, isExposed } from "./model/exposure.ts";
import { ViewAge } from "./model/view-age.ts";
import { EventRecorder } from "./store/event-recorder.ts";
import { UnitTexts } from "./unit-texts.ts";

/** What the API is built from. */
export interface ApiOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly log: BaseLogger;
  /** False while the registry can't be used; requests are then answered with 503. */
  readonly isHealthy: () => boolean;
  /** What is known of etcd itself. */
  readonly etcd: {
    readonly isReachable: () => boolean;
    /** Milliseconds since it last answered. */
    readonly silentMs: () => number;
  };
  /** Asks machines, over the link; null or absent: this API asks none. */
  readonly asker?: Asker | null;
  /** A directory of this API's own, where its events outlive it; null or absent: they are kept in memory only. */
  readonly stateDirectory?: string | null;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Called once the API listens, with the number of its sockets that other machines can reach without TLS. */
  readonly onListening?: (exposed: number) => void;
  /** Called for each request once its answer is sent. */
  readonly onAnswered?: (request: AnsweredRequest) => void;
}

/** A running API. */
export interface RunningApi {
  /** Fulfilled once its sockets are open; rejected where one can't be opened. */
  readonly ready: Promise<void>;
  /** Applies the options that can change without a restart. */
  reload(config: Config): void;
  /** The API's state, for a dump. */
  snapshot(): unknown;
  /** Stops the API. Open requests have up to two seconds to finish. */
  stop(): Promise<void>;
}

/** How long the answer to a write waits until the mirror shows the write. After that the answer is an error. */
const MOST_BEHIND_MS = 5_000;
/**
 * How long sockets stay unopened at the start until the registry is read. After that, requests are answered with 503.
 */
const FIRST_LIST_MS = 5_000;
/** How often it is noted whether the view is up to date. A last view is told to be at most this much older than it is. */
const CONFIRM_MS = 500;
/** How often the registry is read where watches are disabled. */
const POLL_MS = 500;

/** Starts serving API v1 on the sockets that systemd passed, and on those that are configured. */
export function startApi(options: ApiOptions): RunningApi {
  return new Api(options);
}

class Api implements RunningApi {
  readonly ready: Promise<void>;
  readonly #log: BaseLogger;
  #config: Config;
  readonly #stopping = new AbortController();
  readonly #following: FollowedCluster;
  readonly #app: FastifyInstance;
  readonly #mirrored: Promise<unknown>;
  readonly #viewAge = new ViewAge();
  readonly #auditLog: AuditLog;
  readonly #confirming: NodeJS.Timeout;
  #tokenLimit: number;
  #unitSizeLimit: number;
  #access: Access | null;
  #listeners: readonly Listener[] = [];

  constructor(options: ApiOptions) {
    const { config, registry, log, isHealthy, etcd, metrics, onListening = () => undefined } = options;
    const { onAnswered } = options;
    this.#log = log;
    this.#config = config;
    this.#tokenLimit = config.tokenLimit;
    this.#unitSizeLimit = config.unitSizeLimit;
    this.#access = accessOf(config);
    this.#auditLog = new AuditLog(config.auditLog, log);
    this.#following = followCluster(options, this.#stopping.signal);
    const { mirror, view, texts, readers, recorder, sessions } = this.#following;
    this.#app = buildApp({
      registry,
      mirror,
      view,
      readers,
      eventsOpened: recorder.opened,
      asker: options.asker ?? null,
      sessions,
      writer: registry.unitWriter(
        (name) => knownUnit(mirror.state, texts, registry.keys.unit(name), name),
        (hash) => texts.find([hash]),
      ),
      version: VERSION,
      tokenLimit: () => this.#tokenLimit,
      unitSizeLimit: () => this.#unitSizeLimit,
      access: () => this.#access,
      auditLog: this.#auditLog,
      ownName: hostname(),
      writeTimeoutMs: Math.max(MOST_BEHIND_MS, config.etcd.requestTimeoutMs),
      isHealthy: () => mirror.isReady && isHealthy(),
      lastViewAge: () => (mirror.isReady && !etcd.isReachable() ? this.#viewAge.seconds(performance.now()) : null),
      etcdAddresses: config.etcd.servers,
      metrics,
      onUnexpected: (error, request) => log.error({ err: error, ...request }, "a request failed unexpectedly"),
      onAnswered: (request) => {
        log.debug(request, "request");
        onAnswered?.(request);
      },
    });
    const confirm = (isFollowing = mirror.isConnected): void =>
      this.#viewAge.note(isFollowing, performance.now() - etcd.silentMs());
    this.#confirming = setInterval(() => confirm(), CONFIRM_MS).unref();
    // What was just read whole is up to date, also where no watch stands yet.
    void mirror.ready.then(() => confirm(true));
    this.#mirrored = mirror.run(this.#stopping.signal);
    this.ready = this.#listen(onListening);
  }

  reload(config: Config): void {
    this.#config = config;
    this.#tokenLimit = config.tokenLimit;
    this.#unitSizeLimit = config.unitSizeLimit;
    this.#access = accessOf(config);
    this.#auditLog.reload(config.auditLog);
    this.#reloadTls(config);
    this.#following.readers.cutRevoked();
    this.#following.sessions.cutRevoked();
  }

  snapshot(): unknown {
    const { mirror, readers, sessions } = this.#following;
    return {
      revision: mirror.revision,
      isConnected: mirror.isConnected,
      units: mirror.state.units.size,
      machines: mirror.state.machines.size,
      eventReaders: readers.count,
      linkReaders: sessions.count,
      addresses: this.#listeners.map(({ address }) => address),
    };
  }

  async stop(): Promise<void> {
    clearInterval(this.#confirming);
    this.#following.readers.close();
    this.#following.sessions.close();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#stopping.abort();
    await this.ready.catch(() => undefined);
    await this.#mirrored;
    await this.#following.recorder.stop();
    await this.#app.close();
    this.#auditLog.close();
  }

  async #listen(onListening: (exposed: number) => void): Promise<void> {
    const { signal } = this.#stopping;
    await this.#app.ready();
    // Sockets of systemd hold connections meanwhile. A server that listened at once would answer them with 503.
    const pause = sleep(FIRST_LIST_MS, undefined, { signal }).catch(() => undefined);
    await Promise.race([this.#following.mirror.ready, pause]);
    if (signal.aborted) return;
    this.#listeners = await openSockets({
      handler: (request, response) => this.#app.routing(request, response),
      version: VERSION,
      passed: passedSockets(process.env, process.pid),
      addresses: this.#config.apiListen,
      tls: this.#config.apiTls,
    });
    this.#reportListeners();
    onListening(this.#listeners.filter(isExposed).length);
  }

  #reportListeners(): void {
    if (this.#listeners.length === 0) {
      this.#log.warn("the API listens nowhere: no socket was passed by systemd, and option api_listen names none");
    }
    const { apiTokens, apiTls } = this.#config;
    const protection = { hasTokens: apiTokens !== null, hasClientCA: (apiTls?.clientCA ?? null) !== null };
    for (const listener of this.#listeners) {
      const { address, isSecure } = listener;
      this.#log.info({ address, tls: isSecure }, "the API is listening");
      for (const warning of exposureWarnings(listener, protection)) this.#log.warn({ address }, warning);
    }
  }

  /** Whether there is TLS at all is decided at the start. */
  #reloadTls({ apiTls }: Config): void {
    if (apiTls !== null) for (const listener of this.#listeners) listener.reloadTls(apiTls);
  }
}

/** The cluster as this server shows it, kept up to date by a mirror of the registry. */
interface FollowedCluster {
  readonly mirror: Mirror;
  readonly view: ClusterView;
  readonly texts: UnitTexts;
  readonly readers: EventReaders;
  readonly recorder: EventRecorder;
  readonly sessions: LinkSessions;
}

/** Builds the mirror and what it feeds. Nothing is read until the mirror runs. */
function followCluster(
  { registry, config: { disableWatches }, log, stateDirectory = null }: ApiOptions,
  signal: AbortSignal,
): FollowedCluster {
  const mirror = registry.mirror({
    ranges: registry.keys.apiRanges(),
    pollMs: disableWatches ? POLL_MS : null,
    inOrder: true,
    onTrouble: (error) =>
      log.warn({ code: error.code }, `the API's view of the registry is interrupted: ${error.message}`),
  });
  const texts = new UnitTexts((hashes) => registry.unitFiles(hashes));
  const view = new ClusterView(mirror.state, texts);
  const events = new EventLog();
  const readers = new EventReaders(events);
  const sessions = new LinkSessions((error) =>
    log.error({ err: error }, "a stream of what machines answer failed unexpectedly"),
  );
  const recorder = new EventRecorder({
    ...{ registry, mirror, log: events, directory: stateDirectory, mayWatch: !disableWatches, logger: log, signal },
  });
  // Also where etcd is polled, whose lists are no gaps otherwise: revisions may go back.
  let readAnew: ReadAnew | null = null;
  mirror.onReadAnew((why) => {
    readAnew = why;
  });
  mirror.onChanges((changes, revision, isGap) => {
    view.apply(changes);
    const missed = isGap || readAnew !== null ? { missed: missedEvents(readAnew) } : {};
    recorder.take({ changes, revision, time: new Date(), ...missed });
    readAnew = null;
    readers.wake();
    sessions.wake(changes);
  });
  return { mirror, view, texts, readers, recorder, sessions };
}

function missedEvents(why: ReadAnew | null): ChangeBatch["missed"] & object {
  const isOtherHistory = why === "restored";
  const what = isOtherHistory ? "etcd was restored from a backup or replaced" : "the server has missed events";
  return { message: `${what}: read what matters anew`, isOtherHistory };
}

function accessOf({ apiTokens }: Config): Access | null {
  return apiTokens === null ? null : new Access(apiTokens);
}

/**
 * A unit as the mirror has it; null: there is none; undefined: its record can't be read, so the writer has to ask etcd.
 */
function knownUnit(state: ClusterState, texts: UnitTexts, key: string, name: string): KnownUnit | null | undefined {
  const record = state.units.get(name);
  if (record === undefined) return state.malformed.has(key) ? undefined : null;
  return { record, text: texts.get(record.hash) ?? null };
}

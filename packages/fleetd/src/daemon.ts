import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentFailpoint, RunningAgent, Systemd } from "@fleet/agent";
import type { RunningApi } from "@fleet/api";
import { type Config, type HostPort, VERSION } from "@fleet/config";
import type { EngineObserver, RunningEngine } from "@fleet/engine";
import { Etcd3Client, Keys, ObservedEtcd, type OperationObserver, Registry } from "@fleet/registry";
import type { Logger } from "pino";
import type { RoleName } from "./arguments.ts";
import { Failpoints } from "./failpoints.ts";
import { FaultyEtcd } from "./faulty-etcd.ts";
import { HeartbeatThread, startHeartbeatWorker } from "./heartbeat-thread.ts";
import { collectWhenIdle } from "./idle-collector.ts";
import { answerQuestions, openLink } from "./link.ts";
import { levelOf } from "./log.ts";
import { LoopDelay } from "./loop-delay.ts";
import type { DaemonMetrics } from "./metrics.ts";
import { Monitor } from "./monitor.ts";
import { SteadyEtcd } from "./steady-etcd.ts";
import { flagsBySize } from "./v8-flags.ts";

/** A fleet daemon with its parts running. */
export interface Daemon {
  /**
   * Fulfilled once the API's sockets are open and the machine is in the registry; rejected where a socket can't be
   * opened.
   */
  readonly ready: Promise<void>;
  reload(config: Config): Promise<void>;
  /** Notes for the metrics whether the last reload was taken over. */
  onReloaded(succeeded: boolean): void;
  /** The internal state of all parts, for a dump. */
  snapshot(): unknown;
  /**
   * Stops all parts.
   *
   * @param isRestart true: the next daemon is about to start, and the units go on running whatever units_on_shutdown
   * says
   */
  stop(isRestart?: boolean): Promise<void>;
}

/** The parts of a daemon; null: not asked for, or not started yet. */
interface Parts {
  agent: RunningAgent | null;
  engine: RunningEngine | null;
  api: RunningApi | null;
  /** The ends of the link, as functions that close them. */
  readonly links: (() => Promise<void>)[];
}

/** What all parts of a daemon are built from. */
interface Shared {
  readonly config: Config;
  readonly registry: Registry;
  /** The registry as the agent uses it: in a daemon that also serves, its lease is kept alive by a thread. */
  readonly agentRegistry: Registry;
  readonly logs: PartLogs;
  readonly failpoints: Failpoints;
  readonly isHealthy: () => boolean;
  readonly monitor: Monitor;
  /** Null: nothing shows them. */
  readonly metrics: DaemonMetrics | null;
}

/** Builds the parts that are asked for and starts them: the one place where they are put together. */
export async function startDaemon(roles: readonly RoleName[], config: Config, log: Logger): Promise<Daemon> {
  const stopping = new AbortController();
  const parts: Parts = { agent: null, engine: null, api: null, links: [] };
  const loopDelay = new LoopDelay();
  const failpoints = new Failpoints(process.env.FLEET_FAILPOINTS);
  const logs = new PartLogs(log);
  const isHealthy = (): boolean => monitor.isHealthy && (parts.agent?.isAccepted() ?? true);
  const scrapedAt = metricsAddresses(roles, config);
  // Where nobody shows metrics, their library stays out of memory.
  const isScraped = roles.includes("api") || scrapedAt.length > 0;
  const metrics = isScraped ? new (await import("./metrics.ts")).DaemonMetrics(isHealthy, loopDelay, roles) : null;
  const registry = openRegistry(config, failpoints, metrics?.onOperation);
  const heartbeat = roles.includes("agent") && roles.includes("api") ? startHeartbeat(config, log) : null;
  const agentRegistry = withHeartbeat(registry, heartbeat);
  metrics?.showReadAnew(() => [...new Set([registry, agentRegistry])].map(({ readAnew }) => readAnew));
  const monitor = new Monitor(registry.etcd, registry.keys, config.agentTtlMs, log);
  log.info({ version: VERSION, roles, etcd: config.etcd.servers, prefix: config.etcd.keyPrefix }, "fleetd is starting");
  const monitoring = monitor.run(stopping.signal);
  void collectWhenIdle(stopping.signal);
  await startParts(parts, roles, { config, registry, agentRegistry, logs, failpoints, isHealthy, monitor, metrics });
  const { agent, engine, api } = parts;
  const serving = metrics === null ? [] : await serveAll(scrapedAt, metrics);
  return {
    ready: Promise.all([api?.ready, agent === null ? null : enteredSoon(agent)]).then(() => undefined),
    reload: async (next) => {
      logs.setLevel(levelOf(next.verbosity));
      engine?.reload(next);
      api?.reload(next);
      await agent?.reload(next);
    },
    onReloaded: (succeeded) => metrics?.onReloaded(succeeded),
    snapshot: () => {
      failpoints.holdLoop();
      return {
        version: VERSION,
        roles,
        isHealthy: isHealthy(),
        etcdSilentMs: Math.round(monitor.silentMs),
        memory: process.memoryUsage(),
        longestPauseMs: Math.round(loopDelay.seconds(1) * 1000),
        agent: agent?.snapshot() ?? null,
        engine: engine?.snapshot() ?? null,
        api: api?.snapshot() ?? null,
      };
    },
    stop: async (isRestart = false) => {
      for (const server of serving) server.close();
      await api?.stop();
      await Promise.all(parts.links.map((close) => close()));
      await agent?.stop(isRestart ? "keep" : undefined);
      await engine?.stop();
      stopping.abort();
      await monitoring;
      heartbeat?.close();
      registry.close();
    },
  };
}

/** Loads only what the roles need, and starts it. */
async function startParts(parts: Parts, roles: readonly RoleName[], shared: Shared): Promise<void> {
  const { config, registry, agentRegistry, logs, failpoints, isHealthy, monitor, metrics } = shared;
  if (roles.includes("agent")) {
    const { DBusSystemd, startAgent } = await import("@fleet/agent");
    const { systemdUser, unitsDirectory } = config;
    const connectSystemd = (): Promise<Systemd> => DBusSystemd.connect(systemdUser, unitsDirectory);
    const failpoint = (point: AgentFailpoint): void => failpoints.reach(point);
    const log = logs.of("agent");
    parts.agent = startAgent({ config, registry: agentRegistry, log, connectSystemd, failpoint });
    parts.links.push(await answerQuestions(parts.agent.machineID, config, registry, log));
  }
  if (roles.includes("engine")) {
    const { startEngine } = await import("@fleet/engine");
    parts.engine = startEngine({
      config,
      registry,
      log: logs.of("engine"),
      id: parts.agent?.machineID ?? ownID(),
      observer: { ...(metrics?.engine ?? UNOBSERVED), onUnits: flagsBySize() },
    });
  }
  if (roles.includes("api") && metrics !== null) {
    const { startApi } = await import("@fleet/api");
    const { onListening, onAnswered } = metrics;
    const log = logs.of("api");
    const link = await openLink(config, registry, log);
    if (link !== null) parts.links.push(() => link.stop());
    parts.api = startApi({
      config,
      registry,
      log,
      asker: link,
      isHealthy,
      etcd: { isReachable: () => monitor.isHealthy, silentMs: () => monitor.silentMs },
      stateDirectory: process.env.STATE_DIRECTORY?.split(":")[0] || null,
      metrics: () => metrics.text(),
      onListening,
      onAnswered,
    });
  }
}

/**
 * The daemon's log and those of its parts. A child logger of pino keeps the level it was created with, so all are set.
 */
class PartLogs {
  readonly #log: Logger;
  readonly #all: Logger[];

  constructor(log: Logger) {
    this.#log = log;
    this.#all = [log];
  }

  of(part: RoleName): Logger {
    const child = this.#log.child({ part });
    this.#all.push(child);
    return child;
  }

  setLevel(level: ReturnType<typeof levelOf>): void {
    for (const log of this.#all) log.level = level;
  }
}

/** Opens the registry. Faults and metrics of its operations are layers between it and etcd. */
function openRegistry(
  { etcd: config }: Config,
  failpoints: Failpoints,
  observe: OperationObserver | undefined,
): Registry {
  const client = new Etcd3Client(config);
  const etcd = failpoints.isAny ? new FaultyEtcd(client, failpoints) : client;
  return new Registry(observe === undefined ? etcd : new ObservedEtcd(etcd, observe), new Keys(config.keyPrefix));
}

function startHeartbeat(config: Config, log: Logger): HeartbeatThread {
  return new HeartbeatThread(startHeartbeatWorker(config.etcd), (reason) =>
    log.error(
      { reason },
      "the thread of the heart-beat has ended: a request that takes long can cost this machine its lease",
    ),
  );
}

function withHeartbeat(registry: Registry, heartbeat: HeartbeatThread | null): Registry {
  return heartbeat === null ? registry : new Registry(new SteadyEtcd(registry.etcd, heartbeat), registry.keys);
}

/** Where the parts other than the API are to serve metrics. */
function metricsAddresses(roles: readonly RoleName[], { metricsListen }: Config): readonly HostPort[] {
  return (["agent", "engine"] as const)
    .filter((role) => roles.includes(role))
    .flatMap((role) => metricsListen[role] ?? []);
}

async function serveAll(addresses: readonly HostPort[], metrics: DaemonMetrics): Promise<readonly Server[]> {
  if (addresses.length === 0) return [];
  const { serveMetrics } = await import("./metrics-server.ts");
  return Promise.all(addresses.map((address) => serveMetrics(address, metrics)));
}

/** How long a start waits until the machine is in the registry. */
const ENTER_MS = 5_000;

/**
 * Waits until the machine is in the registry, so that whoever has started the agent finds it there. Without etcd, it
 * gives up.
 */
async function enteredSoon(agent: RunningAgent): Promise<void> {
  const given = new AbortController();
  const late = sleep(ENTER_MS, undefined, { signal: given.signal, ref: false }).catch(() => undefined);
  await Promise.race([agent.entered, late]);
  given.abort();
}

const UNOBSERVED: Omit<EngineObserver, "onUnits"> = { onLeading() {}, onReconciled() {}, onTask() {} };

/** The name of an engine in a process without an agent: the machine's ID where it can be read, else the host name. */
function ownID(): string {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim();
  } catch {
    return hostname();
  }
}

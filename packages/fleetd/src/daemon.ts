import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningAgent, Systemd } from "@fleet/agent";
import type { RunningApi } from "@fleet/api";
import { type Config, VERSION } from "@fleet/config";
import type { EngineObserver, RunningEngine } from "@fleet/engine";
import { Etcd3Client, Keys, ObservedEtcd, type OperationObserver, Registry } from "@fleet/registry";
import type { Logger } from "pino";
import type { RoleName } from "./arguments.ts";
import { failpoint, HAS_FAILPOINTS, happens } from "./failpoints.ts";
import { collectWhenIdle } from "./idle-collector.ts";
import { levelOf } from "./log.ts";
import { LoopDelay } from "./loop-delay.ts";
import { Monitor } from "./monitor.ts";
import { TroubledEtcd } from "./troubled-etcd.ts";
import { LARGE_CLUSTER_FLAGS, setFlags } from "./v8-flags.ts";

/** A fleet daemon with its parts running. */
export interface Daemon {
  /** Fulfilled once it serves; rejected where it can't. */
  readonly ready: Promise<void>;
  reload(config: Config): Promise<void>;
  /** The whole internal state. */
  snapshot(): unknown;
  /**
   * Ends all parts.
   *
   * @param isRestart true: the next daemon is about to start, and the units go on running whatever units_on_shutdown says
   */
  stop(isRestart?: boolean): Promise<void>;
}

/** Builds the parts that are asked for and starts them: the one place where they are put together. */
export async function startDaemon(roles: readonly RoleName[], config: Config, log: Logger): Promise<Daemon> {
  const stopping = new AbortController();
  let agent: RunningAgent | null = null;
  let engine: RunningEngine | null = null;
  let api: RunningApi | null = null;
  const loopDelay = new LoopDelay();
  // A child of a log keeps the level that it was made with.
  const logs = [log];
  const logOf = (part: RoleName): Logger => {
    const child = log.child({ part });
    logs.push(child);
    return child;
  };
  const isHealthy = (): boolean => monitor.isHealthy && (agent?.isAccepted() ?? true);
  // Only the API shows metrics: without it nobody would see them, and their library stays out of memory.
  const metrics = roles.includes("api") ? new (await import("./metrics.ts")).DaemonMetrics(isHealthy, loopDelay) : null;
  const registry = openRegistry(config, metrics?.onOperation);
  const monitor = new Monitor(registry.etcd, registry.keys, config.agentTtlMs, log);
  log.info({ version: VERSION, roles, etcd: config.etcd.servers, prefix: config.etcd.keyPrefix }, "fleetd is starting");
  const monitoring = monitor.run(stopping.signal);
  void collectWhenIdle(stopping.signal);

  if (roles.includes("agent")) {
    const { DBusSystemd, startAgent } = await import("@fleet/agent");
    const { systemdUser, unitsDirectory } = config;
    const connectSystemd = (): Promise<Systemd> => DBusSystemd.connect(systemdUser, unitsDirectory);
    agent = startAgent({ config, registry, log: logOf("agent"), connectSystemd, failpoint });
  }
  if (roles.includes("engine")) {
    const { startEngine } = await import("@fleet/engine");
    const id = agent?.machineID ?? ownID();
    engine = startEngine({
      config,
      registry,
      log: logOf("engine"),
      id,
      observer: metrics?.engine ?? UNOBSERVED,
      onLarge: () => setFlags(LARGE_CLUSTER_FLAGS),
    });
  }
  if (metrics !== null) {
    const { startApi } = await import("@fleet/api");
    const options = { config, registry, isHealthy, metrics: () => metrics.text(), onListening: metrics.onListening };
    api = startApi({ ...options, log: logOf("api") });
  }

  return {
    ready: Promise.all([api?.ready, agent === null ? null : enteredSoon(agent)]).then(() => undefined),
    reload: async (next) => {
      for (const each of logs) each.level = levelOf(next.verbosity);
      engine?.reload(next);
      api?.reload(next);
      await agent?.reload(next);
    },
    snapshot: () => ({
      version: VERSION,
      roles,
      isHealthy: isHealthy(),
      etcdSilentMs: Math.round(monitor.silentMs),
      memory: process.memoryUsage(),
      longestPauseMs: Math.round(loopDelay.seconds(1) * 1000),
      agent: agent?.snapshot() ?? null,
      engine: engine?.snapshot() ?? null,
      api: api?.snapshot() ?? null,
    }),
    stop: async (isRestart = false) => {
      await api?.stop();
      await agent?.stop(isRestart ? "keep" : undefined);
      await engine?.stop();
      stopping.abort();
      await monitoring;
      registry.close();
    },
  };
}

/** The registry, with whatever stands between it and etcd in this process. */
function openRegistry({ etcd: config }: Config, observe: OperationObserver | undefined): Registry {
  const client = new Etcd3Client(config);
  const etcd = HAS_FAILPOINTS ? new TroubledEtcd(client, { failpoint, happens }) : client;
  return new Registry(observe === undefined ? etcd : new ObservedEtcd(etcd, observe), new Keys(config.keyPrefix));
}

/** How long a daemon that is started waits until its machine is in the registry. */
const ENTER_MS = 5_000;

/** Whoever starts an agent finds its machine in the cluster; one without etcd is started too, and waits for it. */
async function enteredSoon(agent: RunningAgent): Promise<void> {
  const given = new AbortController();
  const late = sleep(ENTER_MS, undefined, { signal: given.signal, ref: false }).catch(() => undefined);
  await Promise.race([agent.entered, late]);
  given.abort();
}

const UNOBSERVED: EngineObserver = { onLeading() {}, onReconciled() {}, onTask() {} };

/** A name for an engine on a machine without an agent: the machine's ID where it can be read, else its host name. */
function ownID(): string {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim();
  } catch {
    return hostname();
  }
}

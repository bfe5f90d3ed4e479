import { setTimeout as sleep } from "node:timers/promises";
import type { Registry } from "@fleet/registry";
import type { SeededRandom } from "../testbed/seeded-random.ts";
import type { TestCluster } from "../testbed/test-cluster.ts";
import type { EtcdBackup } from "./etcd-backup.ts";
import type { History } from "./history.ts";
import type { RegistryWatch } from "./registry-watch.ts";
import type { Traffic } from "./traffic.ts";

/** What faults are done to, and what they leave for the checks to know. */
export interface Target {
  readonly cluster: TestCluster;
  readonly random: SeededRandom;
  readonly history: History;
  readonly registry: Registry;
  readonly traffic: Traffic;
  readonly watch: RegistryWatch;
  readonly backup: EtcdBackup;
  /** Snapshots of etcd that faults have taken, oldest first. */
  readonly kept: string[];
  /** Units that a fault has stopped or started by hand; `*@N`: all of host N. */
  readonly disturbed: Set<string>;
}

/** A fault: does its harm, lasts, and is over when it is fulfilled; returns what it has done, for the history. */
export type Fault = (target: Target) => Promise<string>;

/** agent_ttl, in milliseconds. */
export const TTL_MS = 5_000;

/** What the daemons of a storm read, where it is there. */
export const ENVIRONMENT = "/run/fleet-faults.env";

const HOSTS = [1, 2, 3, 4] as const;
/** Hosts with an engine and an API. */
export const LEADING = [1, 2] as const;

export const hostOf = ({ random }: Target): number => random.pick(HOSTS);

/** Which of fleet's services a host has. */
export const servicesOn = (host: number): string =>
  host <= LEADING.length ? "fleet-agent fleet-engine fleet-api" : "fleet-agent";

/** Goes on for a random time between two numbers of seconds. */
export const lasting = (target: Target, low: number, high: number): Promise<void> =>
  sleep(target.random.between(low * 1000, high * 1000));

/** Runs a script on a host, whatever becomes of it; returns what it printed. */
export async function on(target: Target, host: number, script: string): Promise<string> {
  const { stdout } = await target.cluster.cluster.network.exec(host, ["bash", "-c", script], { timeoutMs: 30_000 });
  return stdout.trim();
}

/** Runs etcdctl for all members, whatever becomes of it; returns what it printed. */
export function etcdctl({ cluster }: Target, ...args: readonly string[]): Promise<string> {
  const { network, etcdURLs } = cluster.cluster;
  const command = ["env", "ETCDCTL_API=3", "etcdctl", `--endpoints=${etcdURLs.join(",")}`];
  return network.inside(...command, ...args).catch(() => "");
}

/** Has a host's daemons run with more environment for a while: `lines` as of a systemd EnvironmentFile. */
export async function withEnvironment(
  target: Target,
  host: number,
  lines: string,
  work: () => Promise<void>,
): Promise<void> {
  const restart = `systemctl restart ${servicesOn(host)}`;
  await on(target, host, `cat >${ENVIRONMENT} <<'END'\n${lines}\nEND\n${restart}`);
  await work();
  await on(target, host, `rm -f ${ENVIRONMENT}; ${restart}`);
}

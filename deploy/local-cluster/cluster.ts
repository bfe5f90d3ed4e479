import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { type Host, HostNetwork, type HostOptions } from "./network.ts";
import { until } from "./processes.ts";

export const ROOT = join(import.meta.dirname, "../..");
export const BIN = process.env.FLEET_BIN ?? join(ROOT, "dist/bin");
export const API_PORT = 49153;
/** The last part of the address of etcd's first member. */
const FIRST_MEMBER = 2;

/** Which parts of fleet run on a host. */
export interface HostRoles {
  readonly agent?: boolean;
  readonly engine?: boolean;
  readonly api?: boolean;
  /** All three in one process; excludes the others. */
  readonly all?: boolean;
  /** Lines of its fleet.conf besides those that every host has. */
  readonly config?: string;
  /** More files on it, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** More folders and files of this machine that it sees, as `from:to`. */
  readonly binds?: readonly string[];
  /** The root folder below it; by default this machine's. */
  readonly lower?: string;
  /** The executable that its parts are of; by default the one that was built. */
  readonly fleetd?: string;
  /** True: nothing of fleet is put on it. */
  readonly isBare?: boolean;
}

/** A cluster to be started. */
export interface ClusterOptions {
  readonly name: string;
  readonly hosts: readonly HostRoles[];
  readonly isDetached?: boolean;
  /** Members of its etcd, each on an address of its own: 1 by default. */
  readonly etcdMembers?: number;
  /** Lines of every host's fleet.conf. */
  readonly config?: string;
  /** Hears of each step, for a person to read. */
  readonly onStep?: (step: string) => void;
  /** Called as soon as there is something that would have to be taken away again. */
  readonly onNetwork?: (network: HostNetwork) => void;
}

/** A cluster of fleet on real hosts of this machine, with an etcd of its own. */
export class LocalCluster {
  readonly network: HostNetwork;
  /** The first member's. */
  readonly etcdURL: string;
  /** Every member's. */
  readonly etcdURLs: readonly string[];
  readonly #options: ClusterOptions;
  readonly #etcd = new Set<number>();

  private constructor(network: HostNetwork, options: ClusterOptions) {
    this.network = network;
    this.#options = options;
    this.etcdURLs = Array.from(
      { length: options.etcdMembers ?? 1 },
      (_, index) => `http://${network.prefix}.${FIRST_MEMBER + index}:2379`,
    );
    this.etcdURL = this.etcdURLs[0] ?? "";
  }

  static async start(options: ClusterOptions): Promise<LocalCluster> {
    const step = options.onStep ?? (() => undefined);
    const network = await HostNetwork.create(options.name, options.isDetached);
    options.onNetwork?.(network);
    try {
      const cluster = new LocalCluster(network, options);
      step(`network ${network.prefix}.0/24 is up`);
      await cluster.startEtcd();
      step(`etcd is serving at ${cluster.etcdURL}`);
      await network.addHosts(options.hosts.length, (index) => cluster.hostOptions(index));
      step(`${options.hosts.length} hosts have booted`);
      await cluster.#ready();
      step("all parts of fleet are running");
      return cluster;
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  /** Where the API of a host is. */
  endpoint(index = this.#options.hosts.findIndex(({ api, all }) => api || all) + 1): string {
    return `http://${this.network.prefix}.${10 + index}:${API_PORT}`;
  }

  /** Starts every member of etcd that does not run, and waits until they serve. */
  async startEtcd(): Promise<void> {
    for (const member of this.etcdURLs.keys()) if (!this.#etcd.has(member)) await this.startMember(member);
    for (const url of this.etcdURLs) await until(() => answers(`${url}/health`), 30_000, "etcd to answer");
  }

  /** Starts one member of etcd, from 0 on; with its data where it had run before. */
  async startMember(member: number): Promise<void> {
    const { network } = this;
    const address = `${network.prefix}.${FIRST_MEMBER + member}`;
    if (member > 0) await network.inside("ip", "addr", "replace", `${address}/24`, "dev", "br0");
    const peer = (index: number): string => `http://${network.prefix}.${FIRST_MEMBER + index}:2380`;
    const cluster = this.etcdURLs.map((_, index) => `m${index}=${peer(index)}`).join(",");
    network.spawnInside([
      "etcd",
      `--name=m${member}`,
      `--data-dir=${network.folder}/etcd${member}`,
      "--log-level=error",
      `--listen-client-urls=http://${address}:2379`,
      `--advertise-client-urls=http://${address}:2379`,
      `--listen-peer-urls=${peer(member)}`,
      `--initial-advertise-peer-urls=${peer(member)}`,
      `--initial-cluster=${cluster}`,
    ]);
    this.#etcd.add(member);
  }

  /** Sends a signal to one member of etcd. KILL ends it at once, as a crash does; STOP freezes it until CONT. */
  async signalMember(member: number, signal: "KILL" | "STOP" | "CONT"): Promise<void> {
    await this.network.inside("pkill", `-${signal}`, "-f", "--", `--name=m${member} `).catch(() => "");
    if (signal === "KILL") this.#etcd.delete(member);
  }

  /** The member that leads etcd, from 0 on; -1: none does. */
  async etcdLeader(): Promise<number> {
    for (const [member, url] of this.etcdURLs.entries()) {
      const metrics = await get(`${url}/metrics`).catch(() => "");
      if (/^etcd_server_is_leader 1$/m.test(metrics)) return member;
    }
    return -1;
  }

  /** Ends all of etcd at once, as a crash does; startEtcd brings it back with its data. */
  async killEtcd(): Promise<void> {
    for (const member of this.etcdURLs.keys()) await this.signalMember(member, "KILL");
    for (const url of this.etcdURLs) await until(async () => !(await answers(`${url}/health`)), 10_000, "etcd to end");
  }

  /** Deletes every key. */
  async clearEtcd(): Promise<void> {
    await this.etcdctl("del", "", "--prefix");
  }

  /** Runs etcdctl against the first member; returns what it printed. */
  etcdctl(...args: readonly string[]): Promise<string> {
    return this.network.inside("env", "ETCDCTL_API=3", "etcdctl", `--endpoints=${this.etcdURL}`, ...args);
  }

  hostOptions(index: number): HostOptions {
    const roles = this.#options.hosts[index - 1] ?? {};
    const { files = {}, binds = [], lower } = roles;
    const below = lower === undefined ? {} : { lower };
    if (roles.isBare) return { ...below, files, binds };
    const units = servicesOf(roles);
    const unit = (name: string): string => readFileSync(join(ROOT, "deploy/systemd", name), "utf8");
    const sysusers = readFileSync(join(ROOT, "deploy/sysusers.d/fleet.conf"), "utf8");
    return {
      ...below,
      binds: [`${roles.fleetd ?? `${BIN}/fleetd`}:/usr/bin/fleetd`, `${BIN}/fleetctl:/usr/bin/fleetctl`, ...binds],
      wants: units,
      files: {
        "/etc/fleet/fleet.conf": [
          `etcd_servers=${this.etcdURLs.join(",")}`,
          `metadata=host=h${index},rack=r${index % 2}`,
          "etcd_request_timeout=3",
          this.#options.config ?? "",
          roles.config ?? "",
          "",
        ].join("\n"),
        "/usr/lib/sysusers.d/fleet.conf": sysusers,
        ...files,
        ...Object.fromEntries(units.map((name) => [`/etc/systemd/system/${name}`, unit(name)])),
        ...(roles.api || roles.all
          ? {
              "/etc/systemd/system/fleet.socket": unit("fleet.socket"),
              "/etc/systemd/system/fleet.socket.d/tcp.conf": `[Socket]\nListenStream=${API_PORT}\n`,
              ...(roles.api
                ? { "/etc/systemd/system/fleet.socket.d/fleet-api.conf": unit("fleet.socket.d/fleet-api.conf") }
                : {}),
            }
          : {}),
      },
    };
  }

  async stop(): Promise<void> {
    await this.network.stop();
  }

  async #ready(): Promise<void> {
    for (const host of this.network.hosts.values()) await this.ready(host);
    const agents = this.#options.hosts.filter(({ agent, all }) => agent || all).length;
    if (agents === 0) return;
    const endpoint = this.endpoint();
    await until(async () => (await machineCount(endpoint)) >= agents, 30_000, "all machines to be in the registry");
  }

  /** Waits until a host's parts of fleet say that they are running. */
  async ready(host: Host): Promise<void> {
    for (const service of servicesOf(this.#options.hosts[host.index - 1] ?? {})) {
      const isActive = async (): Promise<boolean> => {
        const { stdout } = await this.network.exec(host.index, ["systemctl", "is-active", service]);
        return stdout.trim() === "active";
      };
      await until(isActive, 30_000, `${service} on ${host.name}`);
    }
  }
}

export function servicesOf({ agent, engine, api, all }: HostRoles): string[] {
  if (all) return ["fleet.service"];
  return [
    ...(agent ? ["fleet-agent.service"] : []),
    ...(engine ? ["fleet-engine.service"] : []),
    ...(api ? ["fleet-api.service"] : []),
  ];
}

/** Whether the executables are built. */
export function isBuilt(): boolean {
  return existsSync(`${BIN}/fleetd`) && existsSync(`${BIN}/fleetctl`);
}

async function machineCount(endpoint: string): Promise<number> {
  const text = await get(`${endpoint}/fleet/v1/machines`).catch(() => "");
  return text === "" ? 0 : ((JSON.parse(text) as { machines?: unknown[] }).machines?.length ?? 0);
}

async function answers(url: string): Promise<boolean> {
  return get(url).then(
    () => true,
    () => false,
  );
}

function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { timeout: 1_000, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve(body));
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer")));
    sent.on("error", reject);
    sent.end();
  });
}

import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BIN, type HostRoles, LocalCluster } from "../deploy/local-cluster/cluster.ts";
import type { HostNetwork } from "../deploy/local-cluster/network.ts";
import { collect, type Output, until } from "../deploy/local-cluster/processes.ts";
import { ApiClient } from "./api-client.ts";

/** Two engines, one API, an agent on each of three hosts: what most tests run on. */
export const THREE_HOSTS: readonly HostRoles[] = [
  { agent: true, engine: true, api: true },
  { agent: true, engine: true },
  { agent: true },
];

let count = 0;

/** A cluster for tests, with what they ask of it. */
export class TestCluster {
  readonly cluster: LocalCluster;
  readonly api: ApiClient;
  readonly folder: string;

  private constructor(cluster: LocalCluster) {
    this.cluster = cluster;
    this.api = new ApiClient(cluster.endpoint());
    // Goes with the network, however this process ends.
    this.folder = join(cluster.network.folder, "files");
    mkdirSync(this.folder);
  }

  static async start(
    hosts: readonly HostRoles[] = THREE_HOSTS,
    config = "agent_ttl=8s",
    etcdMembers = 1,
  ): Promise<TestCluster> {
    const name = `t${process.pid % 100000}${String.fromCharCode(97 + (count++ % 26))}`;
    return new TestCluster(await LocalCluster.start({ name, hosts, config, etcdMembers }));
  }

  async stop(): Promise<void> {
    this.api.close();
    rmSync(this.folder, { recursive: true, force: true });
    await this.cluster.stop();
  }

  /** Writes a unit file; returns its path. */
  file(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** Runs fleetctl against the cluster. */
  fleetctl(...args: readonly string[]): Promise<Output> {
    return this.fleetctlWith({}, ...args);
  }

  /** Runs fleetctl with an environment of its own, and with text on its standard input; null: nothing to read. */
  fleetctlWith(
    {
      env = {},
      input = null,
      killAfterMs = 50_000,
    }: { env?: Record<string, string>; input?: string | null; killAfterMs?: number },
    ...args: readonly string[]
  ): Promise<Output> {
    const child = spawn(join(BIN, "fleetctl"), args, {
      cwd: this.folder,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: this.folder,
        FLEETCTL_ENDPOINT: this.cluster.endpoint(),
        // Both cores of a small machine may be busy for seconds.
        FLEETCTL_REQUEST_TIMEOUT: "20",
        ...env,
      },
      stdio: [input === null ? "ignore" : "pipe", "pipe", "pipe"],
      timeout: killAfterMs,
      killSignal: "SIGKILL",
    });
    // The pipe stays open, as a script's does that has more to say later.
    child.stdin?.on("error", () => undefined).write(input ?? "");
    return collect(child).finally(() => child.stdin?.destroy());
  }

  /** Runs a fleetctl that must succeed; returns what it printed. */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.fleetctl(...args);
    if (code !== 0) throw new Error(`fleetctl ${args.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A property of a unit in a host's own systemd. */
  async show(index: number, unit: string, property: string): Promise<string> {
    return (await this.cluster.network.must(index, "systemctl", "show", "-P", property, unit)).trim();
  }

  /** Indexes of the hosts on which systemd itself says that a unit is active. */
  async activeOn(unit: string): Promise<number[]> {
    const found: number[] = [];
    for (const index of this.cluster.network.hosts.keys()) {
      const { stdout } = await this.cluster.network.exec(index, ["systemctl", "is-active", unit]);
      if (stdout.trim() === "active") found.push(index);
    }
    return found.sort();
  }

  /** The one host on which a unit is active. */
  async hostOf(unit: string): Promise<number> {
    const hosts = await this.activeOn(unit);
    if (hosts.length !== 1) throw new Error(`${unit} is active on ${hosts.length} hosts: ${hosts}`);
    return hosts[0] as number;
  }

  until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
    return until(condition, timeoutMs, what);
  }

  /** Destroys every unit, and waits until no host has any left. An API that has just lost etcd is given time to find it. */
  async clear(): Promise<void> {
    let names: string[] = [];
    await this.until("the API to list the units", async () => {
      const { status, text } = await this.api.send("GET", "/units");
      if (status !== 200) return false;
      names = ((JSON.parse(text) as { units?: { name: string }[] }).units ?? []).map(({ name }) => name);
      return true;
    });
    if (names.length > 0) await this.ok("destroy", ...names);
  }
}

/** Makes a bare host ready for packages: quickly, and with their services started whatever this machine's image forbids. */
export async function allowPackages(network: HostNetwork, index: number): Promise<void> {
  const script = `rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update
    mkdir -p /etc/dpkg/dpkg.cfg.d && echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/quick`;
  await network.must(index, "sh", "-c", script);
}

export const SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n";

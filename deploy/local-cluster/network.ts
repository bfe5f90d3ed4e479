import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { writeHostDisk } from "./host-root.ts";
import { collect, firstOfNamespace, isAlive, type Output, until } from "./processes.ts";

const run = promisify(execFile);

const BOOT_MS = 60_000;

/** A host of a network: a real systemd over an overlay of this machine's root folder. */
export interface Host {
  readonly index: number;
  readonly name: string;
  readonly address: string;
  readonly machineID: string;
  /** Its root folder, as processes of the network's mount namespace see it. */
  readonly root: string;
  /** Its first process, as seen from this machine. */
  readonly pid: number;
}

/** What a host is started with. */
export interface HostOptions {
  /** Folders and files of this machine that the host sees, as `from:to`. */
  readonly binds?: readonly string[];
  /** Files written into the host before it boots, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** systemd units that start at boot. */
  readonly wants?: readonly string[];
  /** The root folder below it, which stays as it is; by default this machine's. */
  readonly lower?: string;
  /** 32 hex digits; by default one of its own for each host. */
  readonly machineID?: string;
}

/**
 * A network of real hosts on this machine, in namespaces of its own: hosts have the addresses PREFIX.11 and up, the
 * network itself PREFIX.2, this machine PREFIX.1. It vanishes as a whole when its holder ends.
 */
export class HostNetwork {
  readonly name: string;
  readonly prefix: string;
  readonly folder: string;
  /** The process whose namespaces the network lives in, as seen from this machine. */
  readonly holderPID: number;
  readonly hosts = new Map<number, Host>();
  readonly #holder: ChildProcess | null;

  constructor(name: string, prefix: string, folder: string, holderPID: number, holder: ChildProcess | null) {
    this.name = name;
    this.prefix = prefix;
    this.folder = folder;
    this.holderPID = holderPID;
    this.#holder = holder;
  }

  /**
   * Makes a network without hosts.
   *
   * @param name at most 11 characters; names the network's device on this machine and its control groups
   * @param isDetached true: it outlives this process, and ends when `stopHolder` is called on its holder
   */
  static async create(name: string, isDetached = false): Promise<HostNetwork> {
    checkMachine();
    const folder = `/run/fleet-local/${name}`;
    const script = join(import.meta.dirname, "hold.sh");
    const holder = spawn("bash", [script, name, folder, ...(isDetached ? ["for-ever"] : [])], {
      detached: true,
      stdio: [isDetached ? "ignore" : "pipe", "pipe", "pipe"],
    });
    let errors = "";
    holder.stderr?.on("data", (chunk) => {
      errors += chunk;
    });
    const isReady = await new Promise<boolean>((resolve) => {
      holder.stdout?.once("data", () => resolve(true));
      holder.once("exit", () => resolve(false));
    });
    if (!isReady) throw new Error(`the network's namespaces could not be made: ${errors.trim()}`);
    const holderPID = await firstOfNamespace(holder.pid ?? 0);
    if (isDetached) {
      holder.unref();
      for (const stream of [holder.stdout, holder.stderr]) if (stream instanceof Socket) stream.unref();
    }
    const prefix = freePrefix();
    const network = new HostNetwork(name, prefix, folder, holderPID, holder);
    try {
      await network.#join();
    } catch (error) {
      await network.stop();
      throw error;
    }
    return network;
  }

  /** Boots hosts side by side; fulfilled when all are up. */
  async addHosts(count: number, options: (index: number) => HostOptions = () => ({})): Promise<readonly Host[]> {
    const first = Math.max(0, ...this.hosts.keys()) + 1;
    return Promise.all(
      Array.from({ length: count }, (_, offset) => this.startHost(first + offset, options(first + offset))),
    );
  }

  /** Boots one host, anew where it was there before: what was in its /run and processes is gone, its disk is not. */
  async startHost(index: number, options: HostOptions = {}): Promise<Host> {
    const address = `${this.prefix}.${10 + index}`;
    const machineID =
      options.machineID ??
      `${index.toString(16).padStart(2, "0")}${Buffer.from(this.name.padEnd(15, "x")).toString("hex")}`.slice(0, 32);
    const folder = join(this.folder, `h${index}`);
    const root = join(folder, "root");
    const isNew = !this.hosts.has(index);
    if (isNew) {
      await this.#prepare(index, folder, root, machineID, options);
      await this.#inside("ip", "netns", "add", `h${index}`);
      await this.#inside(
        "ip",
        "link",
        "add",
        `v${index}`,
        "type",
        "veth",
        "peer",
        "name",
        "host0",
        "netns",
        `h${index}`,
      );
      await this.#inside("ip", "link", "set", `v${index}`, "master", "br0", "up");
      const ip = (...args: string[]): Promise<unknown> => this.#inside("ip", "-n", `h${index}`, ...args);
      await ip("addr", "add", `${address}/24`, "dev", "host0");
      await ip("link", "set", "host0", "up");
      await ip("link", "set", "lo", "up");
      await ip("route", "add", "default", "via", `${this.prefix}.1`);
    }
    const binds = (options.binds ?? []).map((bind) => `--bind-ro=${bind}`);
    // cgroup v2 alone, and a control group of its own for each host: hosts that share one kill each other's processes.
    const script = `umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir -p "/sys/fs/cgroup/$0" &&
      echo $$ >"/sys/fs/cgroup/$0/cgroup.procs" && exec "$@"`;
    const nspawn = spawn(
      "nsenter",
      [
        ...this.#namespaces(),
        ...["unshare", "--mount", "--propagation", "private", "bash", "-c", script, `${this.name}-h${index}`],
        ...[
          "systemd-nspawn",
          "--quiet",
          "--register=no",
          "--keep-unit",
          "--kill-signal=SIGRTMIN+3",
          "-D",
          root,
          "--boot",
        ],
        ...[
          "-M",
          `h${index}`,
          `--hostname=h${index}`,
          `--network-namespace-path=/run/netns/h${index}`,
          "--console=pipe",
        ],
        ...binds,
      ],
      { detached: true, stdio: ["ignore", "ignore", "ignore"] },
    );
    nspawn.unref();
    const pid = await firstOfNamespace(nspawn.pid ?? 0);
    const host: Host = { index, name: `h${index}`, address, machineID, root, pid };
    this.hosts.set(index, host);
    await this.#booted(host);
    return host;
  }

  /** Runs a command on a host. */
  async exec(
    index: number,
    command: readonly string[],
    options: { readonly input?: string; readonly timeoutMs?: number } = {},
  ): Promise<Output> {
    const { pid } = this.#host(index);
    const child = spawn("nsenter", ["-t", String(pid), "-m", "-p", "-n", "-u", "-i", "-C", "--", ...command], {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 60_000,
      killSignal: "SIGKILL",
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", HOME: "/root" },
    });
    child.stdin.on("error", () => undefined); // a command that does not read its input
    child.stdin.end(options.input ?? "");
    return collect(child);
  }

  /** Runs a command on a host that must succeed; returns what it printed. */
  async must(index: number, ...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.exec(index, command);
    if (code !== 0) throw new Error(`h${index}: ${command.join(" ")}: exit code ${code}: ${stderr || stdout}`);
    return stdout;
  }

  /** Copies a file of this machine onto a host. */
  async copyTo(index: number, from: string, to: string): Promise<void> {
    await copyFile(from, this.outside(join(this.#host(index).root, to)));
  }

  /** Starts a process inside the network, beside its hosts; it ends with the network. */
  spawnInside(command: readonly string[]): void {
    // It leaves nsenter, which would stop and stay stopped with it, and could then not be ended with the network.
    spawn("nsenter", [...this.#namespaces(), "setsid", "--fork", ...command], {
      detached: true,
      stdio: ["ignore", "ignore", "ignore"],
    }).unref();
  }

  /** Runs a command inside the network, beside its hosts. */
  async inside(...command: readonly string[]): Promise<string> {
    return this.#inside(...command);
  }

  /** Power loss. */
  async killHost(index: number): Promise<void> {
    const { pid } = this.#host(index);
    process.kill(pid, "SIGKILL");
    await until(() => !existsSync(`/proc/${pid}`), 20_000, `h${index} to end`);
  }

  /** Shuts a host down in order, as `systemctl poweroff` does. */
  async shutDown(index: number): Promise<void> {
    const { pid } = this.#host(index);
    await this.exec(index, ["systemctl", "--no-block", "poweroff"]);
    await until(() => !existsSync(`/proc/${pid}`), 120_000, `h${index} to shut down`);
  }

  async cut(index: number): Promise<void> {
    await this.#inside("ip", "link", "set", `v${index}`, "down");
  }

  async heal(index: number): Promise<void> {
    await this.#inside("ip", "link", "set", `v${index}`, "up");
  }

  /** Takes everything away. */
  async stop(): Promise<void> {
    const pid = this.#holder?.pid;
    this.#holder?.stdin?.end();
    await stopHolder(this.holderPID);
    if (pid !== undefined) await until(() => !isAlive(pid) && !existsSync(this.folder), 20_000, "the network to end");
  }

  async #join(): Promise<void> {
    const device = `fl-${this.name}`;
    await run("ip", ["link", "add", device, "type", "veth", "peer", "name", "up0", "netns", String(this.holderPID)]);
    await run("ip", ["addr", "add", `${this.prefix}.1/24`, "dev", device]);
    await run("ip", ["link", "set", device, "up"]);
    await this.#inside("ip", "link", "set", "up0", "master", "br0", "up");
    await this.#inside("ip", "addr", "add", `${this.prefix}.2/24`, "dev", "br0");
  }

  async #prepare(index: number, folder: string, root: string, machineID: string, options: HostOptions): Promise<void> {
    await this.#inside("mkdir", "-p", folder);
    await this.#inside("mount", "-t", "tmpfs", "tmpfs", folder);
    await this.#inside("mkdir", "-p", join(folder, "upper"), join(folder, "work"), root);
    await this.#inside(
      "mount",
      "-t",
      "overlay",
      "overlay",
      "-o",
      `lowerdir=${options.lower ?? "/"},upperdir=${folder}/upper,workdir=${folder}/work`,
      root,
    );
    writeHostDisk(this.outside(root), {
      hostname: `h${index}`,
      machineID,
      keepsUnits: options.lower !== undefined,
      files: options.files ?? {},
      wants: options.wants ?? [],
    });
  }

  /** A path of the network's mount namespace, as this machine reaches it. */
  outside(path: string): string {
    return `/proc/${this.holderPID}/root${path}`;
  }

  async #booted(host: Host): Promise<void> {
    const isUp = async (): Promise<boolean> => {
      if (!isAlive(host.pid)) throw new Error(`h${host.index} ended while it booted; systemd-nspawn can't run here`);
      const { stdout } = await this.exec(host.index, ["systemctl", "is-system-running"], { timeoutMs: 5_000 });
      return /running|degraded/.test(stdout);
    };
    await until(isUp, BOOT_MS, `h${host.index} to boot`);
  }

  #host(index: number): Host {
    const host = this.hosts.get(index);
    if (host === undefined) throw new Error(`there is no host h${index}`);
    return host;
  }

  #namespaces(): string[] {
    return ["-t", String(this.holderPID), "-m", "-n", "-p", "--"];
  }

  async #inside(...command: readonly string[]): Promise<string> {
    return (await run("nsenter", [...this.#namespaces(), ...command], { timeout: 30_000 })).stdout;
  }
}

/** The first process of a detached network's namespace, found by its name among all processes; null: there is none. */
export async function findHolder(name: string): Promise<number | null> {
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    let words: readonly string[] = [];
    try {
      words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    } catch {
      // It has ended since.
    }
    if (words[1]?.endsWith("/hold.sh") === true && words[2] === name && words[4] === "for-ever")
      return firstOfNamespace(Number(pid));
  }
  return null;
}

/** Ends a network by its holder's process. */
export async function stopHolder(holderPID: number): Promise<void> {
  if (!isAlive(holderPID)) return;
  try {
    process.kill(holderPID, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
  await until(() => !isAlive(holderPID), 20_000, "the network to end");
}

/** Says in one sentence what this machine lacks for hosts. */
export function checkMachine(): void {
  if (process.getuid?.() !== 0)
    throw new Error("local hosts need root: they are made of namespaces, mounts and bridges");
  const missing = Object.entries({
    unshare: "util-linux",
    nsenter: "util-linux",
    ip: "iproute2",
    "systemd-nspawn": "systemd-container",
    "dbus-daemon": "dbus",
    etcd: "etcd-server",
  }).filter(([program]) => !isInstalled(program));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))].join(" ");
    throw new Error(`local hosts need ${missing.map(([program]) => program).join(", ")}: apt-get install ${packages}`);
  }
}

function isInstalled(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** An address range that no interface of this machine has. */
function freePrefix(): string {
  const used = new Set(
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .map(({ address }) => address.split(".").slice(0, 3).join(".")),
  );
  for (;;) {
    const prefix = `10.${77 + Math.floor(Math.random() * 20)}.${Math.floor(Math.random() * 256)}`;
    if (!used.has(prefix)) return prefix;
  }
}

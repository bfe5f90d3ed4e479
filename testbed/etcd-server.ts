import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EtcdConfig, loadConfig } from "@fleet/config";

/** How an etcd is started. */
export interface EtcdServerOptions {
  /** Paths of PEM files; with `clientCA` it takes only clients with a certificate of that CA. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCA?: string };
  /** More arguments of etcd. */
  readonly args?: readonly string[];
  /** One of several members of a cluster. */
  readonly member?: { readonly name: string; readonly peers: readonly string[] };
}

/** A real etcd for tests, on ports of its own, gone with everything it wrote when stopped or when the test process ends. */
export class EtcdServer {
  readonly folder = mkdtempSync(join(tmpdir(), "fleet-etcd-"));
  readonly port: number;
  readonly #peerPort: number;
  #process: ChildProcess | null = null;

  readonly #options: EtcdServerOptions;

  private constructor(port: number, peerPort: number, options: EtcdServerOptions) {
    this.port = port;
    this.#peerPort = peerPort;
    this.#options = options;
  }

  static async start(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    const server = new EtcdServer(await freePort(), await freePort(), options);
    await server.run();
    return server;
  }

  /** Three members of one cluster. */
  static async startThree(): Promise<readonly EtcdServer[]> {
    const ports = await Promise.all(Array.from({ length: 6 }, freePort));
    const peers = ports.slice(3).map((port, index) => `m${index}=http://127.0.0.1:${port}`);
    const members = [0, 1, 2].map(
      (index) => new EtcdServer(ports[index] ?? 0, ports[index + 3] ?? 0, { member: { name: `m${index}`, peers } }),
    );
    await Promise.all(members.map((member) => member.run()));
    return members;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? "http" : "https"}://127.0.0.1:${this.port}`;
  }

  config(extra: Record<string, string> = {}): EtcdConfig {
    const env = { FLEET_ETCD_SERVERS: this.url, FLEET_ETCD_REQUEST_TIMEOUT: "5", ...extra };
    return loadConfig({ file: null, env, readFile: () => "" }).config.etcd;
  }

  async run(): Promise<void> {
    const { tls, member } = this.#options;
    const args = [
      ...["--data-dir", join(this.folder, "data"), "--log-level=error", `--listen-client-urls=${this.url}`],
      ...[`--advertise-client-urls=${this.url}`, `--listen-peer-urls=http://127.0.0.1:${this.#peerPort}`],
      ...[
        `--initial-advertise-peer-urls=http://127.0.0.1:${this.#peerPort}`,
        `--name=${member?.name ?? "default"}`,
        `--initial-cluster=${member?.peers.join(",") ?? `default=http://127.0.0.1:${this.#peerPort}`}`,
      ],
      ...(tls === undefined ? [] : [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`]),
      ...(tls?.clientCA === undefined ? [] : ["--client-cert-auth", `--trusted-ca-file=${tls.clientCA}`]),
      ...(this.#options.args ?? []),
    ];
    // The shell ends etcd when its input does, and that ends with this process, however it ends.
    const script =
      'folder=$1; shift; etcd "$@" & trap "kill -9 $!; [ -n \\"\\$keep\\" ] || rm -rf \\"$folder\\"" EXIT; read -r keep';
    this.#process = spawn("bash", ["-c", script, "etcd", this.folder, ...args], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    const isUp = (): Promise<boolean> => (tls === undefined ? healthy(this.url) : listens(this.port));
    for (let tries = 0; !(await isUp()); tries++) {
      if (tries > 2400) throw new Error("etcd did not start: is Debian's package etcd-server installed?");
      await sleep(25);
    }
  }

  /** Ends it at once, as a crash does; run() brings it back with its data. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.stdin?.end("keep\n");
    await gone;
  }

  /** Writes what it holds to a file. */
  snapshot(file: string): void {
    this.#etcdctl("snapshot", "save", file);
  }

  /** Ends it, and has it begin again with what a snapshot has, as in docs/backup.md. */
  async restore(file: string): Promise<void> {
    await this.kill();
    const data = join(this.folder, "data");
    rmSync(data, { recursive: true, force: true });
    const peer = `http://127.0.0.1:${this.#peerPort}`;
    const member = ["--name=default", `--initial-cluster=default=${peer}`, `--initial-advertise-peer-urls=${peer}`];
    this.#etcdctl("snapshot", "restore", file, `--data-dir=${data}`, ...member);
    await this.run();
  }

  /** Stops its clock: connections stay, and nothing is answered until thaw(). */
  freeze(): void {
    this.#signal("STOP");
  }

  thaw(): void {
    this.#signal("CONT");
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #etcdctl(...args: readonly string[]): void {
    const env = { ...process.env, ETCDCTL_API: "3" };
    execFileSync("etcdctl", [`--endpoints=${this.url}`, ...args], { env, stdio: "ignore" });
  }

  #signal(signal: string): void {
    if (this.#process !== null) execFileSync("pkill", [`-${signal}`, "-P", String(this.#process.pid), "-x", "etcd"]);
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, "127.0.0.1", () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });
}

function healthy(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request(`${url}/health`, { timeout: 500, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => resolve(false));
    sent.end();
  });
}

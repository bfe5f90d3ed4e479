import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EtcdConfig, loadConfig } from "@fleet/config";

/** A real etcd for tests, on ports of its own, gone with everything it wrote when stopped or when the test process ends. */
export class EtcdServer {
  readonly folder = mkdtempSync(join(tmpdir(), "fleet-etcd-"));
  readonly port: number;
  readonly #peerPort: number;
  #process: ChildProcess | null = null;

  private constructor(port: number, peerPort: number) {
    this.port = port;
    this.#peerPort = peerPort;
  }

  static async start(): Promise<EtcdServer> {
    const server = new EtcdServer(await freePort(), await freePort());
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  config(extra: Record<string, string> = {}): EtcdConfig {
    const env = { FLEET_ETCD_SERVERS: this.url, FLEET_ETCD_REQUEST_TIMEOUT: "5", ...extra };
    return loadConfig({ file: null, env, readFile: () => "" }).config.etcd;
  }

  async run(): Promise<void> {
    const args = [
      ...["--data-dir", join(this.folder, "data"), "--log-level=error", `--listen-client-urls=${this.url}`],
      ...[`--advertise-client-urls=${this.url}`, `--listen-peer-urls=http://127.0.0.1:${this.#peerPort}`],
      ...[
        `--initial-advertise-peer-urls=http://127.0.0.1:${this.#peerPort}`,
        `--initial-cluster=default=http://127.0.0.1:${this.#peerPort}`,
      ],
    ];
    // The shell ends etcd when its input does, and that ends with this process, however it ends.
    const script =
      'folder=$1; shift; etcd "$@" & trap "kill -9 $!; [ -n \\"\\$keep\\" ] || rm -rf \\"$folder\\"" EXIT; read -r keep';
    this.#process = spawn("bash", ["-c", script, "etcd", this.folder, ...args], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    for (let tries = 0; !(await healthy(this.url)); tries++) {
      if (tries > 400) throw new Error("etcd did not start: is Debian's package etcd-server installed?");
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

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
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

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { collect, type Output } from "../deploy/local-cluster/processes.ts";

/** What a daemon's API answers. */
export interface Answer {
  /** 0: nobody answers. */
  readonly status: number;
  readonly text: string;
}

/** A daemon on this machine. */
export interface RunningFleetd {
  readonly child: ChildProcess;
  readonly log: () => string;
  readonly done: Promise<Output>;
  /** Asks its API. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
}

/** Daemons on this machine, beside no host: for what they do before and without systemd. */
export class FleetdProcesses {
  readonly folder = mkdtempSync(join(tmpdir(), "fleet-daemon-"));
  readonly #running: ChildProcess[] = [];

  /** Runs fleetd with nothing of this machine's environment, and no D-Bus. */
  start(args: readonly string[], env: Record<string, string> = {}): RunningFleetd {
    const socketPath = join(this.folder, `api${this.#running.length}.sock`);
    const defaults = {
      FLEET_API_LISTEN: `unix://${socketPath}`,
      FLEET_UNITS_DIRECTORY: join(this.folder, "units"),
      DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${this.folder}/no-bus`,
    };
    // It ends when this process does, however that ends.
    const child = spawn("setpriv", ["--pdeathsig=KILL", "--", join(BIN, "fleetd"), ...args], {
      env: { PATH: process.env.PATH ?? "", ...defaults, ...env },
    });
    this.#running.push(child);
    let log = "";
    child.stdout?.on("data", (chunk) => {
      log += chunk;
    });
    return {
      child,
      log: () => log,
      done: collect(child),
      ask: (method, path, body) => ask(socketPath, method, path, body),
    };
  }

  stop(): void {
    for (const child of this.#running.splice(0)) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function ask(socketPath: string, method: string, path: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve) => {
    const headers = { "content-type": "application/json" };
    const sent = request({ socketPath, path, method, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", () => resolve({ status: 0, text: "" }));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeMachine, encodeUnit, type Op } from "@fleet/domain/cluster";
import { fleetSectionOf, hashText, parseUnitFile } from "@fleet/domain/unit";
import { NOWHERE, scheduledTo } from "@fleet/domain/whereabouts";
import { Registry } from "@fleet/registry";
import { Etcd3 } from "etcd3";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { until } from "../deploy/local-cluster/processes.ts";
import { EtcdServer } from "../testbed/etcd-server.ts";

const OPS_PER_TXN = 120;
/** How often an engine's log is looked at. */
const POLL_MS = 10;
/** The lines of a unit that asks for nothing. */
export const PLAIN = "[Service]\nExecStart=/bin/sleep infinity\n";

/** A part of fleet that runs beside the benchmark. */
export interface Daemon {
  readonly process: ChildProcess;
  /** The file that its log goes to: nobody has to read along, on a machine whose cores it needs. */
  readonly log: string;
}

/** Machines and units that only have their entries in a real etcd. */
export class SimulatedCluster {
  readonly server: EtcdServer;
  readonly registry: Registry;
  readonly #daemons: Daemon[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "fleet-bench-"));

  private constructor(server: EtcdServer) {
    this.server = server;
    this.registry = Registry.open(server.config());
  }

  static async start(): Promise<SimulatedCluster> {
    return new SimulatedCluster(await EtcdServer.start());
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    for (const daemon of this.#daemons) daemon.process.kill("SIGKILL");
    this.registry.close();
    await this.server.stop();
    rmSync(this.#folder, { recursive: true });
  }

  /** Starts a part of fleet; it ends with the benchmark. */
  daemon(role: string, env: Readonly<Record<string, string>> = {}): Daemon {
    const log = join(this.#folder, `${role}-${this.#daemons.length}.log`);
    const file = openSync(log, "w");
    const child = spawn("setpriv", ["--pdeathsig=KILL", "--", join(BIN, "fleetd"), role], {
      env: { PATH: process.env.PATH ?? "", FLEET_ETCD_SERVERS: this.server.url, ...env },
      stdio: ["ignore", file, "ignore"],
    });
    closeSync(file);
    const daemon = { process: child, log };
    this.#daemons.push(daemon);
    return daemon;
  }

  machineID(index: number): string {
    return index.toString(16).padStart(8, "0").padEnd(32, "0");
  }

  machine(index: number, metadata: Readonly<Record<string, string>> = {}, lease?: string): Op {
    const id = this.machineID(index);
    const rest = { primaryIP: "192.0.2.1", version: "2.0.0", capabilities: [], instanceID: randomUUID() };
    const op = { put: this.registry.keys.machine(id), value: encodeMachine({ id, metadata, ...rest }) };
    return lease === undefined ? op : { ...op, lease };
  }

  /** A unit that is wanted; its text must be written too. `version`: the one that has written it; by default this one. */
  unit(name: string, text: string, machineID: string | null = null, version: "this" | "before" = "this"): Op {
    const hash = hashText(text);
    const whereabouts = machineID === null ? NOWHERE : ({ kind: "placed", on: machineID } as const);
    const section = version === "this" ? { section: fleetSectionOf(parseUnitFile(text)) ?? "" } : {};
    const value = encodeUnit({ hash, ...section, desiredState: "launched", global: false, whereabouts, cause: null });
    return { put: this.registry.keys.unit(name), value };
  }

  file(text: string): Op {
    return { put: this.registry.keys.unitFile(hashText(text)), value: text };
  }

  /** Writes in transactions of 120 operations, four at a time. */
  async write(ops: readonly Op[]): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      for (let start = next; start < ops.length; start = next) {
        next += OPS_PER_TXN;
        await this.registry.etcd.txn([], ops.slice(start, start + OPS_PER_TXN));
      }
    };
    await Promise.all(Array.from({ length: 4 }, work));
  }

  /** The floor of placing units: as many operations as that takes, two each, in plain transactions; units a second. */
  async plainPlacements(count: number): Promise<number> {
    const ops = Array.from(
      { length: count * 2 },
      (_, index): Op => ({
        put: `/floor/${index}`,
        value: "x".repeat(150),
      }),
    );
    const startedAt = performance.now();
    await this.write(ops);
    return count / ((performance.now() - startedAt) / 1000);
  }

  /**
   * Waits until an engine has placed so many units, by its log, in which each placement has a line once etcd has it: a
   * look at that costs nothing, on a machine whose cores the engine and etcd need. In the end etcd itself is asked.
   *
   * @returns when the first and the last of them was seen, by performance.now(), to within POLL_MS
   */
  async placed({ log }: Daemon, count: number, timeoutMs = 180_000): Promise<{ firstAt: number; lastAt: number }> {
    const endsAt = performance.now() + timeoutMs;
    const file = openSync(log, "r");
    const chunk = Buffer.alloc(1 << 20);
    let rest = "";
    let found = 0;
    let firstAt: number | null = null;
    try {
      for (;;) {
        const length = readSync(file, chunk);
        const now = performance.now();
        const lines = (rest + chunk.toString("latin1", 0, length)).split("\n");
        rest = lines.pop() ?? "";
        found += lines.filter((line) => line.includes('"msg":"scheduled"')).length;
        if (found > 0) firstAt ??= now;
        if (found >= count && firstAt !== null) {
          await this.#mustHave(count);
          return { firstAt, lastAt: now };
        }
        if (now > endsAt) throw new Error(`only ${found} of ${count} units were placed in ${timeoutMs / 1000} s`);
        if (length < chunk.length) await sleep(POLL_MS);
      }
    } finally {
      closeSync(file);
    }
  }

  async #mustHave(count: number): Promise<void> {
    const client = new Etcd3({ hosts: this.server.url });
    try {
      const schedule = this.registry.keys.schedule("", "").replace(/\/+$/, "/");
      const found = await client.getAll().prefix(schedule).count();
      if (found !== count) throw new Error(`the engine has told of ${count} placements, and etcd has ${found}`);
    } finally {
      client.close();
    }
  }

  /**
   * Follows placements until so many units have been placed, or moved, since it was called.
   *
   * @returns promises of when the first and the last of them was seen, by performance.now()
   */
  async placements(
    count: number,
    timeoutMs = 180_000,
  ): Promise<{ first: Promise<number>; last: Promise<number>; stop(): Promise<void> }> {
    const mirror = this.registry.mirror({ ranges: this.registry.keys.engineRanges() });
    const stopping = new AbortController();
    const done = mirror.run(stopping.signal);
    await mirror.ready;
    let seen = 0;
    const first = Promise.withResolvers<number>();
    const last = Promise.withResolvers<number>();
    mirror.onChanges((changes) => {
      for (const change of changes) {
        if (change.kind !== "unit") continue;
        const on = scheduledTo(change.after?.whereabouts ?? NOWHERE);
        if (on === null || on === scheduledTo(change.before?.whereabouts ?? NOWHERE)) continue;
        if (++seen === 1) first.resolve(performance.now());
        if (seen === count) last.resolve(performance.now());
      }
    });
    const late = sleep(timeoutMs, undefined, { ref: false }).then((): never => {
      throw new Error(`only ${seen} of ${count} units were placed in ${timeoutMs / 1000} s`);
    });
    late.catch(() => undefined);
    return {
      first: first.promise,
      last: Promise.race([last.promise, late]),
      stop: async () => {
        stopping.abort();
        await done;
      },
    };
  }
}

/** The resident memory of a process, in MB. */
export function residentMB(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1000;
}

/** How long a daemon's event loop was blocked at most since its start, by its own word. */
export async function longestPauseMs({ process, log }: Daemon): Promise<number> {
  process.kill("SIGUSR1");
  const said = (): string | undefined => /"longestPauseMs":(\d+)/.exec(readFileSync(log, "utf8"))?.[1];
  await until(() => said() !== undefined, 30_000, "the engine to say how it is");
  return Number(said());
}

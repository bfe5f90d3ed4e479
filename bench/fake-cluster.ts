import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeMachine, encodeUnit, hashText, type Op, Registry } from "@fleet/registry";
import { Etcd3 } from "etcd3";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { EtcdServer } from "../packages/registry/src/testing/etcd-server.ts";

const OPS = 120;
/** How often placements are counted. */
const COUNT_MS = 50;
/** The lines of a unit that asks for nothing. */
export const PLAIN = "[Service]\nExecStart=/bin/sleep infinity\n";

/** Machines and units that only have their entries in a real etcd. */
export class FakeCluster {
  readonly server: EtcdServer;
  readonly registry: Registry;
  readonly #daemons: ChildProcess[] = [];

  private constructor(server: EtcdServer) {
    this.server = server;
    this.registry = Registry.open(server.config());
  }

  static async start(): Promise<FakeCluster> {
    return new FakeCluster(await EtcdServer.start());
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    for (const daemon of this.#daemons) daemon.kill("SIGKILL");
    this.registry.close();
    await this.server.stop();
  }

  /** Starts a part of fleet; it ends with the benchmark. */
  daemon(role: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn("setpriv", ["--pdeathsig=KILL", "--", join(BIN, "fleetd"), role], {
      env: { PATH: process.env.PATH ?? "", FLEET_ETCD_SERVERS: this.server.url, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    child.stdout?.resume();
    this.#daemons.push(child);
    return child;
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

  /** A unit that is wanted; its text must be written too. */
  unit(name: string, text: string, machineID: string | null = null): Op {
    const hash = hashText(text);
    const record = { hash, desiredState: "launched", machineID, global: false } as const;
    const value = encodeUnit({
      ...record,
      lastMachineID: null,
      leaving: null,
      wish: null,
      movingTo: null,
      cause: null,
    });
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
        next += OPS;
        await this.registry.etcd.txn([], ops.slice(start, start + OPS));
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
   * Counts schedule entries until there are so many: unlike a watch that costs next to nothing, on a machine whose cores
   * the engine and etcd need.
   *
   * @returns promises of when the first and the last of them was counted, by performance.now(), to within COUNT_MS
   */
  async placed(count: number, timeoutMs = 180_000): Promise<{ first: Promise<number>; last: Promise<number> }> {
    const client = new Etcd3({ hosts: this.server.url });
    const schedule = this.registry.keys.schedule("", "").replace(/\/+$/, "/");
    const first = Promise.withResolvers<number>();
    const endsAt = performance.now() + timeoutMs;
    const poll = async (): Promise<number> => {
      for (;;) {
        const found = await client.getAll().prefix(schedule).count();
        const now = performance.now();
        if (found > 0) first.resolve(now);
        if (found >= count) return now;
        if (now > endsAt) throw new Error(`only ${found} of ${count} units were placed in ${timeoutMs / 1000} s`);
        await sleep(COUNT_MS);
      }
    };
    const last = poll().finally(() => client.close());
    last.catch((error: unknown) => first.reject(error));
    return { first: first.promise, last };
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
        if (change.kind !== "unit" || change.after?.machineID == null) continue;
        if (change.before?.machineID === change.after.machineID) continue;
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
export function longestPauseMs(daemon: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let text = "";
    daemon.stdout?.on("data", (chunk) => {
      text += chunk;
      const found = /"longestPauseMs":(\d+)/.exec(text)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    daemon.kill("SIGUSR1");
  });
}

import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Config, loadConfig } from "@fleet/config";
import {
  decodeState,
  encodeMachine,
  encodeSchedule,
  encodeUnit,
  type Op,
  type StateRecord,
  type UnitRecord,
} from "@fleet/domain/cluster";
import { type DesiredState, hashText } from "@fleet/domain/unit";
import { NOWHERE, scheduledTo } from "@fleet/domain/whereabouts";
import { Registry } from "@fleet/registry";
import { afterEach, beforeEach } from "vitest";
import { type FakeClock, fakeClock } from "../../../../testbed/fake-clock.ts";
import type { FakeEtcd } from "../../../../testbed/fake-etcd.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { FakeSystemd } from "../../../../testbed/fake-systemd.ts";
import { FakeSystemdHost } from "../../../../testbed/fake-systemd-host.ts";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { startAgent } from "../agent.ts";
import type { RunningAgent } from "../running-agent.ts";
import { SystemdError } from "../systemd/systemd.ts";

/** A text of a unit. */
export const TEXT = "[Service]\nExecStart=/bin/sleep infinity\n";

const TTL_MS = 30_000;

/** How a unit is to be put into the registry; by default launched and on the machine. */
export interface UnitToPut {
  readonly desiredState?: DesiredState;
  readonly text?: string;
  readonly isGlobal?: boolean;
  /** More of its record; with a `machineID` of null it is not in the machine's schedule. */
  readonly record?: Partial<UnitRecord>;
}

/** One machine on a fake systemd, and the registry on a fake etcd, with what tests of an agent ask of them. */
export class TestMachine {
  readonly id = "a".repeat(32);
  readonly other = "b".repeat(32);
  readonly host = new FakeSystemdHost();
  /** Connections to systemd, of all agents, the last one last. */
  readonly connections: FakeSystemd[] = [];
  readonly registry: Registry;
  /** The agents' client of etcd: its troubles are theirs. */
  readonly etcd: FakeEtcd;
  readonly logged: string[] = [];
  /** Whether systemd can't be reached. */
  isSystemdAway = false;
  readonly #folder: string;
  readonly #clock: FakeClock;
  readonly #agents = new Set<RunningAgent>();

  constructor(registry: Registry, etcd: FakeEtcd, folder: string, clock: FakeClock) {
    this.registry = registry;
    this.etcd = etcd;
    this.#folder = folder;
    this.#clock = clock;
  }

  /** The newest connection to systemd. */
  get systemd(): FakeSystemd {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error("no agent has connected to systemd");
    return last;
  }

  /** What all agents have asked of systemd, in order. */
  get calls(): readonly string[] {
    return this.connections.flatMap(({ calls }) => calls);
  }

  /**
   * Starts an agent, and waits until it has read its folder and is connected to systemd, where that can be reached. One
   * after another they are restarts on the same machine.
   */
  async start(more: Partial<Config> = {}): Promise<RunningAgent> {
    const agent = startAgent({
      config: { ...this.config, ...more },
      registry: new Registry(this.etcd, this.registry.keys),
      log: this.#log(),
      machineID: this.id,
      connectSystemd: async () => {
        if (this.isSystemdAway) throw new SystemdError("there is no bus", { unavailable: true });
        const systemd = new FakeSystemd(this.host);
        this.connections.push(systemd);
        return systemd;
      },
    });
    this.#agents.add(agent);
    const isConnected = (): boolean => (agent.snapshot() as { isConnectedToSystemd: boolean }).isConnectedToSystemd;
    await this.until("systemd", () => this.isSystemdAway || isConnected());
    return agent;
  }

  /** Stops an agent; what it waits for by the clock passes. */
  async stop(agent: RunningAgent, units: Config["unitsOnShutdown"]): Promise<void> {
    this.#agents.delete(agent);
    let isOver = false;
    void agent.stop(units).finally(() => {
      isOver = true;
    });
    // More than an agent ever waits.
    for (let seconds = 0; !isOver && seconds < 90; seconds += 0.02) await this.#clock.pass(20);
    if (!isOver) throw new Error("the agent did not stop");
  }

  /** Ends whatever still runs, and leaves all units as they are. */
  async end(): Promise<void> {
    for (const agent of this.#agents) await this.stop(agent, "keep");
  }

  /** Waits for a condition, for two minutes of the clock at most. */
  async until(what: string, condition: () => boolean): Promise<void> {
    for (let passed = 0; !condition(); passed += 5) {
      if (passed > 120_000) throw new Error(`waited in vain for ${what}: ${this.logged.join("; ")}`);
      await this.#clock.pass(5);
    }
  }

  async pass(milliseconds: number): Promise<void> {
    // In steps: what is due in one may only be known after files were read in the one before.
    for (let passed = 0; passed < milliseconds; passed += 250)
      await this.#clock.pass(Math.min(250, milliseconds - passed));
  }

  /** Puts a unit into the registry, as API and engine do together. */
  async put(name: string, { desiredState = "launched", text = TEXT, isGlobal = false, record }: UnitToPut = {}) {
    const { keys } = this.registry;
    const hash = hashText(text);
    const whole: UnitRecord = {
      hash,
      desiredState,
      global: isGlobal,
      whereabouts: isGlobal ? NOWHERE : { kind: "placed", on: this.id },
      cause: null,
      ...record,
    };
    const ops: Op[] = [
      { put: keys.unit(name), value: encodeUnit(whole) },
      { put: keys.unitFile(hash), value: text },
    ];
    const entry = encodeSchedule({ hash, desiredState });
    if (isGlobal) ops.push({ put: keys.global(name), value: entry });
    else if (scheduledTo(whole.whereabouts) === this.id) ops.push({ put: keys.schedule(this.id, name), value: entry });
    else ops.push({ delete: keys.schedule(this.id, name) });
    await this.write(...ops);
  }

  /** Destroys a unit, with the note that each destruction leaves. */
  async destroy(name: string): Promise<void> {
    const { keys } = this.registry;
    const record = keys.unit(name);
    await this.write(
      { delete: record },
      { put: keys.deletion(hashText(record).slice(0, 2)), value: record },
      { delete: keys.schedule(this.id, name) },
      { delete: keys.global(name) },
    );
  }

  /** Has another agent hold this machine's ID. */
  async takeID(): Promise<void> {
    const record = { primaryIP: "192.0.2.9", metadata: {}, version: "2.0.0", capabilities: [], instanceID: "another" };
    await this.write({ put: this.registry.keys.machine(this.id), value: encodeMachine({ id: this.id, ...record }) });
  }

  async freeID(): Promise<void> {
    await this.write({ delete: this.registry.keys.machine(this.id) });
  }

  /** Reboots the machine: what was in its memory is gone, with the folder of units. */
  reboot(): void {
    this.host.reboot();
    rmSync(join(this.#folder, "units"), { recursive: true });
  }

  /** Ends the machine's lease in etcd, as when it could not be renewed in time. */
  loseLease(agent: RunningAgent): void {
    this.etcd.expireLease((agent.snapshot() as { lease: string }).lease);
  }

  get isInRegistry(): boolean {
    return this.etcd.store.value(this.registry.keys.machine(this.id)) !== null;
  }

  /** What the registry holds of a unit's state on this machine; null: nothing. */
  published(name: string): StateRecord | null {
    const value = this.etcd.store.value(this.registry.keys.state(this.id, name));
    return value === null ? null : decodeState(value);
  }

  isUp(name: string): boolean {
    return this.host.states(name).active === "active";
  }

  /** Waits until a unit runs and the registry says so. */
  async untilUp(name: string): Promise<void> {
    await this.until(
      `${name} to be up and published`,
      () => this.isUp(name) && this.published(name)?.systemd.active === "active",
    );
  }

  /** Stops a unit as the watchdog of a machine that is cut off does, which forgets that it was started. */
  async watchdogStops(name: string): Promise<void> {
    rmSync(join(this.#folder, "units/.launched", name));
    await this.host.stop(name);
  }

  /** Writes to etcd as somebody else does. */
  async write(...ops: readonly Op[]): Promise<void> {
    await this.etcd.connect().txn([], ops);
  }

  /** What its agents are configured with. */
  get config(): Config {
    const env = {
      FLEET_UNITS_DIRECTORY: join(this.#folder, "units"),
      FLEET_PUBLIC_IP: "192.0.2.1",
      FLEET_AGENT_TTL: `${TTL_MS / 1000}s`,
      FLEET_ETCD_SERVERS: "http://192.0.2.2:2379",
    };
    return loadConfig({ file: null, env, readFile: () => "" }).config;
  }

  #log(): never {
    const write = (first: unknown, second?: string): void => {
      this.logged.push(second ?? String(first));
    };
    return { debug: () => undefined, info: write, warn: write, error: write } as never;
  }
}

/** To be called once at the top of a file of tests: a machine for each test, on a clock that stands still. */
export function testMachine(): () => TestMachine {
  const clock = fakeClock();
  const { etcd, registry } = fakeRegistry();
  const folder = temporaryFolder();
  let machine: TestMachine;
  beforeEach(() => {
    machine = new TestMachine(registry(), etcd(), folder(), clock);
  });
  afterEach(() => machine.end());
  return () => machine;
}

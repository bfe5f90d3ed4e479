import { type Config, loadConfig } from "@fleet/config";
import {
  decodeSchedule,
  decodeUnit,
  encodeCordon,
  encodeMachine,
  encodeMove,
  encodeState,
  type Keys,
  type Op,
  type StateRecord,
  type UnitRecord,
} from "@fleet/domain/cluster";
import { fleetSectionOf, hashText, parseUnitFile } from "@fleet/domain/unit";
import { NOWHERE, recordOps, type Whereabouts } from "@fleet/domain/whereabouts";
import type { FakeEtcd } from "../../../../testbed/fake-etcd.ts";

/** What becomes of a unit that a machine is told to start; `stuck`: it is up, and does not stop. */
export type Fate = "up" | "starting" | "failed" | "stuck";

export const PLAIN = "[Service]\nExecStart=/bin/a\n";
export const OVERLAP = `${PLAIN}[X-Fleet]\nOverlap=true\n`;

/** What states say of a unit. */
export function stateOf(hash: string, fate: Fate): StateRecord {
  const systemd = {
    up: { load: "loaded", active: "active", sub: "running" },
    stuck: { load: "loaded", active: "active", sub: "running" },
    starting: { load: "loaded", active: "activating", sub: "start" },
    failed: { load: "loaded", active: "failed", sub: "failed" },
  }[fate];
  return { hash, current: "launched", systemd, error: null };
}

/** A configuration of an engine, with what differs from the defaults. */
export function engineConfig(more: Partial<Config> = {}): Config {
  const env = { FLEET_ETCD_SERVERS: "http://127.0.0.1:1" };
  return { ...loadConfig({ file: null, env, readFile: () => "" }).config, ...more };
}

/** The users and the agents of a cluster in a fake etcd: machines do at once what their schedule says. */
export class SimulatedCluster {
  /** What agents did, in order: `m1 + a` for a unit that was started, `m1 - a` for one that is gone. */
  readonly done: string[] = [];
  /** By `m1 a`; what is not in here comes up. */
  readonly fates = new Map<string, Fate>();
  /** The same by the hash of a version, wherever it is. */
  readonly versionFates = new Map<string, Fate>();
  readonly #etcd: FakeEtcd;
  readonly #keys: Keys;
  readonly #machines = new Set<string>();

  constructor(etcd: FakeEtcd, keys: Keys) {
    this.#etcd = etcd.connect();
    this.#keys = keys;
    etcd.store.onCommit(({ events }) => {
      for (const event of events) {
        const parsed = keys.parse(event.kind === "put" ? event.keyValue.key : event.key);
        if (parsed?.kind === "schedule") queueMicrotask(() => void this.act(parsed.machineID, parsed.name));
      }
    });
  }

  async write(...ops: readonly Op[]): Promise<void> {
    for (let start = 0; start < ops.length; start += 100) await this.#etcd.txn([], ops.slice(start, start + 100));
  }

  async join(...ids: readonly string[]): Promise<void> {
    const machine = { primaryIP: "", metadata: {}, version: "2.0.0", capabilities: [], instanceID: "i" };
    for (const id of ids) this.#machines.add(id);
    await this.write(
      ...ids.map((id): Op => ({ put: this.#keys.machine(id), value: encodeMachine({ id, ...machine }) })),
    );
  }

  /** A machine is gone, and with it what it says. */
  async lose(id: string, ...units: readonly string[]): Promise<void> {
    this.#machines.delete(id);
    const states = units.map((unit): Op => ({ delete: this.#keys.state(id, unit) }));
    await this.write({ delete: this.#keys.machine(id) }, ...states);
  }

  /** Units as users and an engine have left them. */
  async unit(names: string | readonly string[], whereabouts: Whereabouts = NOWHERE, text = PLAIN): Promise<void> {
    const section = fleetSectionOf(parseUnitFile(text)) ?? "";
    const what = { hash: hashText(text), section, desiredState: "launched", global: false } as const;
    const record = { ...what, whereabouts, cause: null };
    await this.write({ put: this.#keys.unitFile(record.hash), value: text });
    for (const name of [names].flat()) await this.write(...recordOps(this.#keys, name, null, record));
  }

  /** A user changes what a unit is to be; it is left where it is unless that is given. */
  async set(name: string, desiredState: UnitRecord["desiredState"], whereabouts?: Whereabouts): Promise<void> {
    const before = this.record(name);
    if (before === null) throw new Error(`there is no unit ${name}`);
    const after = { ...before, desiredState, whereabouts: whereabouts ?? before.whereabouts };
    await this.write(...recordOps(this.#keys, name, before, after));
  }

  async drain(id: string): Promise<void> {
    await this.write({ put: this.#keys.cordon(id), value: encodeCordon({ drain: true, since: "" }) });
  }

  async request(unit: string, to: string): Promise<void> {
    await this.write({ put: this.#keys.move(unit), value: encodeMove({ to, limit: 1, reason: "asked for" }) });
  }

  isRequested(unit: string): boolean {
    return this.#etcd.store.value(this.#keys.move(unit)) !== null;
  }

  record(name: string): UnitRecord | null {
    return decodeUnit(this.#etcd.store.value(this.#keys.unit(name)) ?? "");
  }

  where(name: string): Whereabouts | undefined {
    return this.record(name)?.whereabouts;
  }

  /** A machine looks at its schedule: what it holds of a unit follows that. */
  async act(machineID: string, name: string): Promise<void> {
    if (!this.#machines.has(machineID)) return;
    const state = this.#keys.state(machineID, name);
    const entry = decodeSchedule(this.#etcd.store.value(this.#keys.schedule(machineID, name)) ?? "");
    const fate = this.fates.get(`${machineID} ${name}`) ?? "up";
    const isHere = this.#etcd.store.value(state) !== null;
    if (entry === null && (!isHere || fate === "stuck")) return;
    if (entry === null) {
      this.done.push(`${machineID} - ${name}`);
      await this.write({ delete: state });
      return;
    }
    if (!isHere) this.done.push(`${machineID} + ${name}`);
    const loaded = { current: "loaded", systemd: { load: "loaded", active: "inactive", sub: "dead" } } as const;
    const launched = stateOf(entry.hash, this.versionFates.get(entry.hash) ?? fate);
    const value = encodeState(entry.desiredState === "loaded" ? { ...launched, ...loaded } : launched);
    await this.write({ put: state, value });
  }

  /** A unit becomes something else on a machine than it was so far. */
  async turn(machineID: string, name: string, fate: Fate): Promise<void> {
    this.fates.set(`${machineID} ${name}`, fate);
    await this.act(machineID, name);
  }
}

import type { EtcdConfig } from "@fleet/config";
import { type Machine, mergeMetadata } from "../model/machine.ts";
import type { DesiredState, SystemdStates } from "../model/states.ts";
import type { ClusterState } from "./cluster-state.ts";
import type { RegistryError } from "./errors.ts";
import type { Etcd } from "./etcd.ts";
import { Etcd3Client } from "./etcd3-client.ts";
import { type KeyRange, Keys } from "./keys.ts";
import { Mirror } from "./mirror.ts";
import { readUnitFiles } from "./unit-files.ts";
import { type KnownUnits, UnitWriter } from "./unit-writer.ts";

/** A unit as the cluster sees it. */
export interface Unit {
  readonly name: string;
  /** SHA-1 of its file, 40 hex digits. */
  readonly hash: string;
  readonly desiredState: DesiredState;
  /** What its machine last reported; `inactive` until the machine that it is scheduled to reports this version of it. */
  readonly currentState: DesiredState;
  /** Where it is scheduled; null: nowhere, or a global unit. */
  readonly machineID: string | null;
  readonly global: boolean;
}

/** What one machine says of one unit. */
export interface UnitState {
  readonly name: string;
  readonly machineID: string;
  /** SHA-1 of the file that the machine has. */
  readonly hash: string;
  readonly systemd: SystemdStates;
  /** Why fleet could not do there what was wanted; null where it could. */
  readonly error: string | null;
}

/** The registry of one cluster: what other tools import. Close it when done. */
export class Registry {
  readonly etcd: Etcd;
  readonly keys: Keys;

  constructor(etcd: Etcd, keys: Keys) {
    this.etcd = etcd;
    this.keys = keys;
  }

  /** Opens the registry in etcd; what is not given is as fleet's own defaults are. Nothing is sent yet. */
  static open(config: Partial<EtcdConfig> & Pick<EtcdConfig, "servers">): Registry {
    const whole = { requestTimeoutMs: 1000, tls: null, auth: null, keyPrefix: "/_coreos.com/fleet/", ...config };
    return new Registry(new Etcd3Client(whole), new Keys(whole.keyPrefix));
  }

  /** A copy of the whole registry but the schedule, kept up to date once `run` is called. */
  mirror(options: Partial<MirrorSettings> = {}): Mirror {
    return new Mirror({
      etcd: this.etcd,
      keys: this.keys,
      ranges: options.ranges ?? this.keys.apiRanges(),
      inOrder: options.inOrder ?? false,
      pollMs: options.pollMs ?? null,
      ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
      onTrouble: options.onTrouble ?? (() => undefined),
    });
  }

  /** Carries out changes of units; `known` is a mirror's view that spares reading each unit first. */
  unitWriter(known?: KnownUnits): UnitWriter {
    return new UnitWriter(this.etcd, this.keys, known);
  }

  /** Reads the texts of unit files by hash. */
  unitFiles(hashes: readonly string[]): Promise<Map<string, string>> {
    return readUnitFiles(this.etcd, this.keys, hashes);
  }

  close(): void {
    this.etcd.close();
  }
}

/** How a mirror is to be kept. */
export interface MirrorSettings {
  readonly ranges: readonly KeyRange[];
  readonly pollMs: number | null;
  readonly pageSize: number;
  readonly inOrder: boolean;
  readonly onTrouble: (error: RegistryError) => void;
}

/** One unit of a mirrored registry; null where there is none. */
export function unitOf(state: ClusterState, name: string): Unit | null {
  const record = state.units.get(name);
  if (record === undefined) return null;
  const { hash, desiredState, machineID, global } = record;
  const reported = machineID === null ? undefined : state.states.get(name)?.get(machineID);
  const currentState = reported?.hash === hash ? reported.current : "inactive";
  return { name, hash, desiredState, currentState, machineID, global };
}

/** What every machine says of a unit, sorted by machine ID. */
export function unitStatesOf(state: ClusterState, name: string): readonly UnitState[] {
  const byMachine = state.states.get(name);
  if (byMachine === undefined) return [];
  return [...byMachine]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([machineID, { hash, systemd, error }]) => ({ name, machineID, hash, systemd, error }));
}

/** One machine of a mirrored registry with its dynamic metadata laid over; null where there is none. */
export function machineOf(state: ClusterState, id: string): Machine | null {
  const record = state.machines.get(id);
  if (record === undefined) return null;
  const { primaryIP, metadata, version } = record;
  return { id, primaryIP, version, metadata: mergeMetadata(metadata, state.machineMetadata.get(id)) };
}

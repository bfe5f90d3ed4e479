import type { Keys, ParsedKey } from "./keys.ts";
import type { KeyValue } from "./op.ts";
import {
  type CordonRecord,
  decodeCordon,
  decodeLeader,
  decodeMachine,
  decodeMove,
  decodeSchedule,
  decodeState,
  decodeUnit,
  type LeaderRecord,
  type MachineRecord,
  type MoveRecord,
  type ScheduleRecord,
  type StateRecord,
  type UnitRecord,
} from "./records.ts";

/** A record with the etcd revisions at which its key was created and last written. */
export type Versioned<R> = R & { readonly createRevision: number; readonly modRevision: number };

/** What a change in etcd means: a record that came (`before` null), went (`after` null) or became another. */
export type Change =
  | (Both<UnitRecord> & { readonly kind: "unit"; readonly name: string })
  | (Both<{ readonly text: string }> & { readonly kind: "unit-file"; readonly hash: string })
  | (Both<ScheduleRecord> & { readonly kind: "schedule"; readonly machineID: string; readonly name: string })
  | (Both<ScheduleRecord> & { readonly kind: "global"; readonly name: string })
  | (Both<StateRecord> & { readonly kind: "state"; readonly machineID: string; readonly name: string })
  | (Both<MachineRecord> & { readonly kind: "machine"; readonly id: string })
  | (Both<{ readonly value: string }> & {
      readonly kind: "machine-metadata";
      readonly machineID: string;
      readonly key: string;
    })
  | (Both<CordonRecord> & { readonly kind: "cordon"; readonly machineID: string })
  | (Both<MoveRecord> & { readonly kind: "move"; readonly name: string })
  | (Both<LeaderRecord> & { readonly kind: "leader" })
  | (Both<{ readonly version: number }> & { readonly kind: "engine-version" });

interface Both<R> {
  readonly before: Versioned<R> | null;
  readonly after: Versioned<R> | null;
  /** The etcd revision of the change. */
  readonly revision: number;
}

/**
 * The registry's content in memory, typed: what a mirror has seen so far. Readers take the maps as they are; only the
 * mirror writes.
 */
export class ClusterState {
  readonly units = new Map<string, Versioned<UnitRecord>>();
  readonly unitFiles = new Map<string, Versioned<{ readonly text: string }>>();
  /** By machine ID, then by unit name. */
  readonly schedule = new Map<string, Map<string, Versioned<ScheduleRecord>>>();
  readonly globals = new Map<string, Versioned<ScheduleRecord>>();
  /** By unit name, then by machine ID. */
  readonly states = new Map<string, Map<string, Versioned<StateRecord>>>();
  readonly machines = new Map<string, Versioned<MachineRecord>>();
  /** Dynamic metadata, by machine ID, then by key. */
  readonly machineMetadata = new Map<string, Map<string, string>>();
  /** Machines that get nothing new, by ID. */
  readonly cordons = new Map<string, Versioned<CordonRecord>>();
  /** Moves that were asked for and are not done, by unit name. */
  readonly moves = new Map<string, Versioned<MoveRecord>>();
  leader: Versioned<LeaderRecord> | null = null;
  engineVersion: Versioned<{ readonly version: number }> | null = null;
  /** Keys under fleet's prefix whose values nobody here understands: reported, left alone, never acted on. */
  readonly malformed = new Set<string>();

  readonly #keys: Keys;
  readonly #metadataVersions = new Map<string, Versioned<{ readonly value: string }>>();

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  /** Takes in a key that was written. Returns what that means; null where the key says nothing to fleet. */
  put({ key, value, createRevision, modRevision }: KeyValue): Change | null {
    const parsed = this.#keys.parse(key);
    if (parsed === null) return null;
    const record = decode(parsed, value);
    if (record === null) {
      // What was understood last stays: a value that nobody can read is no order to do anything.
      this.malformed.add(key);
      return null;
    }
    this.malformed.delete(key);
    return this.#set(parsed, { ...record, createRevision, modRevision }, modRevision);
  }

  /** Takes in a key that was deleted. */
  delete(key: string, revision: number): Change | null {
    const parsed = this.#keys.parse(key);
    this.malformed.delete(key);
    return parsed === null ? null : this.#set(parsed, null, revision);
  }

  // One record type belongs to each kind; decode() pairs them, which the type system can't follow through a switch.
  #set(key: ParsedKey, record: unknown, revision: number): Change | null {
    const change = (before: unknown): Change | null =>
      before === null && record === null ? null : ({ ...key, before, after: record, revision } as unknown as Change);
    switch (key.kind) {
      case "unit":
        return change(replace(this.units, key.name, record as Versioned<UnitRecord> | null));
      case "unit-file":
        return change(replace(this.unitFiles, key.hash, record as Versioned<{ text: string }> | null));
      case "schedule":
        return change(replaceIn(this.schedule, key.machineID, key.name, record as Versioned<ScheduleRecord> | null));
      case "global":
        return change(replace(this.globals, key.name, record as Versioned<ScheduleRecord> | null));
      case "state":
        return change(replaceIn(this.states, key.name, key.machineID, record as Versioned<StateRecord> | null));
      case "machine":
        return change(replace(this.machines, key.id, record as Versioned<MachineRecord> | null));
      case "machine-metadata": {
        const metadata = record as Versioned<{ value: string }> | null;
        replaceIn(this.machineMetadata, key.machineID, key.key, metadata === null ? null : metadata.value);
        return change(replace(this.#metadataVersions, `${key.machineID}/${key.key}`, metadata));
      }
      case "cordon":
        return change(replace(this.cordons, key.machineID, record as Versioned<CordonRecord> | null));
      case "move":
        return change(replace(this.moves, key.name, record as Versioned<MoveRecord> | null));
      case "leader": {
        const before = this.leader;
        this.leader = record as Versioned<LeaderRecord> | null;
        return change(before);
      }
      case "engine-version": {
        const before = this.engineVersion;
        this.engineVersion = record as Versioned<{ version: number }> | null;
        return change(before);
      }
    }
  }
}

function decode(key: ParsedKey, text: string): object | null {
  switch (key.kind) {
    case "unit":
      return decodeUnit(text);
    case "unit-file":
      return { text };
    case "schedule":
    case "global":
      return decodeSchedule(text);
    case "state":
      return decodeState(text);
    case "machine":
      return decodeMachine(text);
    case "machine-metadata":
      return { value: text };
    case "cordon":
      return decodeCordon(text);
    case "move":
      return decodeMove(text);
    case "leader":
      return decodeLeader(text);
    case "engine-version":
      return /^\d{1,9}$/.test(text) ? { version: Number(text) } : null;
  }
}

function replace<V>(map: Map<string, V>, key: string, value: V | null): V | null {
  const before = map.get(key) ?? null;
  if (value === null) map.delete(key);
  else map.set(key, value);
  return before;
}

function replaceIn<V>(maps: Map<string, Map<string, V>>, outer: string, inner: string, value: V | null): V | null {
  let map = maps.get(outer);
  if (map === undefined) {
    if (value === null) return null;
    map = new Map();
    maps.set(outer, map);
  }
  const before = replace(map, inner, value);
  if (map.size === 0) maps.delete(outer);
  return before;
}

import { object } from "./json-members.ts";
import type { Keys } from "./keys.ts";
import { type KeyOf, type KeyParts, KINDS, type Kind, parsedKey, type RecordOf } from "./kinds.ts";
import type { KeyValue } from "./op.ts";

/** A record with the etcd revisions at which its key was created and last written. */
export type Versioned<R> = R & { readonly createRevision: number; readonly modRevision: number };

/**
 * What a change of one kind of key means: a record that came (`before` null), went (`after` null) or became another. Both
 * are null where one went that could never be read.
 */
type ChangeOf<K extends Kind> = KeyOf<K> & {
  readonly before: Versioned<RecordOf<K>> | null;
  readonly after: Versioned<RecordOf<K>> | null;
  /** The etcd revision of the change. */
  readonly revision: number;
};

/** What a change in etcd means. */
export type Change = { [K in Kind]: ChangeOf<K> }[Kind];

/** Records of keys of one part, by that part. */
type Flat<K extends Kind> = Map<string, Versioned<RecordOf<K>>>;
/** Records of keys of two parts. */
type Nested<K extends Kind> = Map<string, Map<string, Versioned<RecordOf<K>>>>;

/**
 * The registry's content in memory, typed: what a mirror has seen so far. Readers take the maps as they are; only the
 * mirror writes.
 */
export class ClusterState {
  /** Records of each kind, by the parts of their keys; of a kind that is one key the record is under "". */
  readonly #records = new Map<Kind, Map<string, unknown>>();
  readonly units: Flat<"unit"> = this.#kind("unit");
  readonly unitFiles: Flat<"unit-file"> = this.#kind("unit-file");
  /** Texts as their users wrote them, by SHA-1; in no mirror. */
  readonly sources: Flat<"source"> = this.#kind("source");
  /** What texts units have had, by unit name, then by ID; in no mirror. */
  readonly versions: Nested<"version"> = this.#kind("version");
  /** By machine ID, then by unit name. */
  readonly schedule: Nested<"schedule"> = this.#kind("schedule");
  readonly globals: Flat<"global"> = this.#kind("global");
  /** By unit name, then by machine ID. */
  readonly states: Nested<"state"> = this.#kind("state");
  readonly machines: Flat<"machine"> = this.#kind("machine");
  /** Machines that are here or have been, by ID. */
  readonly knownMachines: Flat<"known-machine"> = this.#kind("known-machine");
  /** Dynamic metadata, by machine ID, then by key. */
  readonly machineMetadata: Nested<"machine-metadata"> = this.#kind("machine-metadata");
  /** Machines that get nothing new, by ID. */
  readonly cordons: Flat<"cordon"> = this.#kind("cordon");
  /** Oneshots that have ended well, by unit name, then by machine ID. */
  readonly ended: Nested<"ended"> = this.#kind("ended");
  /** Moves that were asked for and are not done, by unit name. */
  readonly moves: Flat<"move"> = this.#kind("move");
  /** What rolls are to do, and how far they are, by ID. */
  readonly rolls: Flat<"roll"> = this.#kind("roll");
  readonly rollProgress: Flat<"roll-progress"> = this.#kind("roll-progress");
  readonly #rollCount: Flat<"roll-count"> = this.#kind("roll-count");
  readonly #leader: Flat<"leader"> = this.#kind("leader");
  readonly #engineVersion: Flat<"engine-version"> = this.#kind("engine-version");
  /** APIs that ask machines over the link, by ID, and the calls they ask for: no mirror holds either. */
  readonly linkApis: Flat<"link-api"> = this.#kind("link-api");
  readonly linkCalls: Nested<"link-call"> = this.#kind("link-call");
  /** Notes of deletions, by their slots: for those who write. */
  readonly deletions: Flat<"deletion"> = this.#kind("deletion");
  /**
   * Keys under fleet's prefix that nobody here understands, for their values or their parts: reported, left alone, never
   * acted on. A value that can't be read is not the same as none: isUnreadable and unreadableHashes tell.
   */
  readonly malformed = new Set<string>();
  /**
   * Units whose records can't be read and never could be, by name, with the hash that the record names; null: none that can
   * be told. They are there: what is decided about others must not go by their absence.
   */
  readonly unreadableUnits = new Map<string, string | null>();
  /** What can be told of the records of units that can't be read, by name. */
  readonly #unreadable = new Map<string, { readonly hash: string; readonly section: string }>();
  /** The hash that each value which can't be read names; null: none that can be told. */
  readonly #hashes = new Map<string, string | null>();
  readonly #keys: Keys;

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  get leader(): Versioned<RecordOf<"leader">> | null {
    return this.#leader.get("") ?? null;
  }
  get rollCount(): Versioned<RecordOf<"roll-count">> | null {
    return this.#rollCount.get("") ?? null;
  }
  get engineVersion(): Versioned<RecordOf<"engine-version">> | null {
    return this.#engineVersion.get("") ?? null;
  }

  /** Whether there is a value of a key that nobody here understands; what was understood last may still be there. */
  isUnreadable<K extends Kind>(kind: K, ...parts: Parameters<(typeof KINDS)[K]["key"]>): boolean {
    return this.malformed.size > 0 && this.malformed.has(this.#keys.of(kind, ...parts));
  }

  /**
   * The hashes of unit files that values name which can't be read: those files are referred to. Null: some value names none
   * that can be told, so any file may be.
   */
  get unreadableHashes(): ReadonlySet<string> | null {
    const hashes = new Set<string>();
    for (const hash of this.#hashes.values()) {
      if (hash === null) return null;
      hashes.add(hash);
    }
    return hashes;
  }

  /**
   * The `[X-Fleet]` section of one version of a unit: by the unit's record, also where the rest of it can't be read, or else by
   * the file, where that is here. Null: it is not known.
   */
  sectionOf(name: string, hash: string): string | null {
    for (const told of [this.units.get(name), this.#unreadable.get(name)])
      if (told?.hash === hash && told.section !== undefined) return told.section;
    return this.unitFiles.get(hash)?.text ?? null;
  }

  /** Takes in a key that was written. Returns what that means; null where the key says nothing to fleet. */
  put({ key, value, createRevision, modRevision }: KeyValue): Change | null {
    const parts = this.#keys.parts(key);
    const record = parts === null ? null : KINDS[parts.kind].decode(value);
    if (parts === null || record === null) {
      // What was understood last stays: a value that nobody can read is no order to do anything.
      if (parts !== null || this.#keys.isRefused(key)) this.malformed.add(key);
      if (parts !== null && REFERRING.has(parts.kind)) this.#hashes.set(key, hashIn(value));
      if (parts?.kind === "unit") this.#takeUnreadable(parts.first, value);
      return null;
    }
    this.#understood(key, parts);
    return this.#set(parts, { ...record, createRevision, modRevision }, modRevision);
  }

  #takeUnreadable(name: string, value: string): void {
    if (!this.units.has(name)) this.unreadableUnits.set(name, hashIn(value));
    const { hash, section } = object(value) ?? {};
    if (typeof hash === "string" && typeof section === "string") this.#unreadable.set(name, { hash, section });
    else this.#unreadable.delete(name);
  }

  /** Takes in a key that was deleted. */
  delete(key: string, revision: number): Change | null {
    const parts = this.#keys.parts(key);
    const wasUnreadable = this.#understood(key, parts);
    return parts === null ? null : this.#set(parts, null, revision, wasUnreadable);
  }

  /** @returns whether it was not understood before */
  #understood(key: string, parts: KeyParts | null): boolean {
    if (parts?.kind === "unit") {
      this.unreadableUnits.delete(parts.first);
      this.#unreadable.delete(parts.first);
    }
    this.#hashes.delete(key);
    return this.malformed.delete(key);
  }

  #kind<M extends Map<string, unknown>>(kind: Kind): M {
    const records = new Map() as M;
    this.#records.set(kind, records);
    return records;
  }

  // One record type belongs to each kind: the table pairs them, which the type system can't follow through a lookup.
  #set(key: KeyParts, record: object | null, revision: number, isNews = false): Change | null {
    const before = this.#replace(key, record);
    if (before === null && record === null && !isNews) return null;
    return { ...parsedKey(key), before, after: record, revision } as Change;
  }

  #replace({ kind, first, second }: KeyParts, record: object | null): object | null {
    const records = this.#records.get(kind) as Map<string, never>;
    const spec = KINDS[kind];
    if (spec.parts < 2) return replace(records, first, record);
    const isByLast = "byLast" in spec && spec.byLast;
    return isByLast ? replaceIn(records, second, first, record) : replaceIn(records, first, second, record);
  }
}

/** The kinds whose values refer to unit files. */
const REFERRING: ReadonlySet<Kind> = new Set<Kind>(["unit", "schedule", "global"]);

/** The hash of a unit file in a value that can't be read otherwise; null: none. */
function hashIn(value: string): string | null {
  return /"hash"\s*:\s*"([0-9a-f]{40})"/.exec(value)?.[1] ?? null;
}

function replace(map: Map<string, object>, key: string, value: object | null): object | null {
  const before = map.get(key) ?? null;
  if (value === null) map.delete(key);
  else map.set(key, value);
  return before;
}

function replaceIn(
  maps: Map<string, Map<string, object>>,
  outer: string,
  inner: string,
  value: object | null,
): object | null {
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

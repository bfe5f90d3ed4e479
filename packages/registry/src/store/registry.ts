import type { EtcdConfig } from "@fleet/config";
import {
  decodeState,
  decodeUnit,
  type KeptVersion,
  type KeyRange,
  Keys,
  RegistryError,
  type StateRecord,
  type UnitRecord,
  type Versioned,
} from "@fleet/domain/cluster";
import type { Etcd, RangePage } from "./etcd.ts";
import { Etcd3Client } from "./etcd3-client.ts";
import { Mirror, type ReadAnew } from "./mirror.ts";
import { ObservedEtcd, type OperationObserver } from "./observed-etcd.ts";
import { readKeys } from "./transactions.ts";
import { readUnitText, UnitFileReader } from "./unit-files.ts";
import { readHistories, readVersions, type UnitHistory } from "./unit-versions.ts";
import { type BringFile, type KnownUnits, UnitWriter } from "./unit-writer.ts";
import { unknownUnits } from "./unknown-units.ts";

/** The registry of one cluster: what other tools import. Close it when done. */
export class Registry {
  readonly etcd: Etcd;
  readonly keys: Keys;
  readonly #readAnew: Record<ReadAnew, number> = { "events-lost": 0, restored: 0 };
  readonly #files: UnitFileReader;

  constructor(etcd: Etcd, keys: Keys) {
    this.etcd = etcd;
    this.keys = keys;
    this.#files = new UnitFileReader(etcd, keys);
  }

  /**
   * Opens the registry in etcd; what is not given is as fleet's own defaults are. Nothing is sent yet.
   *
   * @param observe hears of every operation
   */
  static open(config: Partial<EtcdConfig> & Pick<EtcdConfig, "servers">, observe?: OperationObserver): Registry {
    const whole = { requestTimeoutMs: 1000, tls: null, auth: null, keyPrefix: "/_coreos.com/fleet/", ...config };
    const client = new Etcd3Client(whole);
    return new Registry(observe === undefined ? client : new ObservedEtcd(client, observe), new Keys(whole.keyPrefix));
  }

  /** How often mirrors of this registry have read everything anew, by why. */
  get readAnew(): Readonly<Record<ReadAnew, number>> {
    return this.#readAnew;
  }

  /** A copy of the whole registry but the schedule, kept up to date once `run` is called. */
  mirror(options: Partial<MirrorSettings> = {}): Mirror {
    return new Mirror({
      etcd: this.etcd,
      keys: this.keys,
      ranges: options.ranges ?? this.keys.rangesWithFiles(),
      inOrder: options.inOrder ?? false,
      pollMs: options.pollMs ?? null,
      ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
      ...(options.checkMs === undefined ? {} : { checkMs: options.checkMs }),
      onTrouble: options.onTrouble ?? (() => undefined),
      onReadAnew: (why) => {
        this.#readAnew[why]++;
      },
    });
  }

  /**
   * Carries out changes of units; `known` is a mirror's view that spares reading each unit first, and `bringFile` has it know a
   * unit's file.
   */
  unitWriter(known?: KnownUnits, bringFile?: BringFile): UnitWriter {
    return new UnitWriter(this.etcd, this.keys, known, bringFile);
  }

  /** Reads the texts of unit files by hash. */
  unitFiles(hashes: readonly string[]): Promise<Map<string, string>> {
    return this.#files.read(hashes);
  }

  /**
   * A unit's text as its user wrote it; where that is not known, the file that fleet wrote out. Null: etcd has none of this
   * version.
   */
  unitText(record: Pick<UnitRecord, "hash" | "source">): Promise<string | null> {
    return readUnitText(this.etcd, this.keys, record);
  }

  /** The versions that a unit has had, also one that is gone, the newest first; `unitText` reads their texts. */
  versions(name: string): Promise<readonly KeptVersion[]> {
    return readVersions(this.etcd, this.keys, name);
  }

  /** The same of all units, one unit after the other, each in no order. */
  histories(): AsyncIterable<UnitHistory> {
    return readHistories(this.etcd, this.keys);
  }

  /**
   * Records of units right now, read from etcd; those that are not there are left out.
   *
   * @throws RegistryError also where one of them can't be read: it is there
   */
  async units(names: readonly string[]): Promise<ReadonlyMap<string, Versioned<UnitRecord>>> {
    const found = new Map<string, Versioned<UnitRecord>>();
    const read = await readKeys(
      this.etcd,
      names.map((name) => this.keys.unit(name)),
    );
    for (const [index, name] of names.entries()) {
      const got = read[index] ?? null;
      const record = got === null ? null : decodeUnit(got.value);
      if (got === null) continue;
      if (record === null) throw unreadable(this.keys.unit(name));
      found.set(name, { ...record, createRevision: got.createRevision, modRevision: got.modRevision });
    }
    return found;
  }

  /**
   * Which of some units the registry does not know, though nobody has destroyed them: etcd was restored from a backup that is
   * older than they are.
   *
   * @param seenAt the etcd revision at which they were last known; null: that was in another history of etcd
   */
  unknownUnits(names: readonly string[], seenAt: number | null): Promise<ReadonlySet<string>> {
    return unknownUnits(this.etcd, this.keys, names, seenAt);
  }

  /**
   * What a machine says of a unit right now, read from etcd; null: nothing.
   *
   * @throws RegistryError also where that can't be read
   */
  async unitState(name: string, machineID: string): Promise<StateRecord | null> {
    const key = this.keys.state(machineID, name);
    const [found] = await readKeys(this.etcd, [key]);
    if (found == null) return null;
    const state = decodeState(found.value);
    if (state === null) throw unreadable(key);
    return state;
  }

  /** Whether etcd has a key right now, whatever its value. */
  async has(key: string): Promise<boolean> {
    return (await this.presence(key)).isThere;
  }

  /** The same, and the revision that etcd is at. */
  async presence(key: string): Promise<{ readonly isThere: boolean; readonly revision: number }> {
    const { keyValues, revision } = await this.#one(key);
    return { isThere: keyValues.length > 0, revision };
  }

  /** The revision that etcd is at right now. */
  async reachedRevision(): Promise<number> {
    return (await this.#one(this.keys.leader())).revision;
  }

  close(): void {
    this.etcd.close();
  }

  #one(key: string): Promise<RangePage> {
    return this.etcd.range({ start: key, end: `${key}\0` }, { limit: 1 });
  }
}

function unreadable(key: string): RegistryError {
  return new RegistryError("unexpected", `the value of ${key} in etcd can't be read, maybe one of a newer version`);
}

/** How a mirror is to be kept. */
export interface MirrorSettings {
  readonly ranges: readonly KeyRange[];
  readonly pollMs: number | null;
  readonly pageSize: number;
  readonly checkMs: number;
  readonly inOrder: boolean;
  readonly onTrouble: (error: RegistryError) => void;
}

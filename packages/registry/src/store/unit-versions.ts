import { decodeVersion, inOrder, type KeptVersion, type KeyRange, type Keys } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { RangeReader } from "./range-reader.ts";

/** The versions that a unit has had and that are kept, the newest first; none of a unit that nobody has heard of. */
export async function readVersions(etcd: Etcd, keys: Keys, name: string): Promise<readonly KeptVersion[]> {
  const found = await readRange(etcd, keys, keys.versionsOf(name));
  return inOrder(found.versions.get(name) ?? []);
}

/** Those of all units, by unit. */
export interface AllVersions {
  readonly versions: ReadonlyMap<string, readonly KeptVersion[]>;
  /** Whether there is one that can't be read, as a newer version of fleet may write it: it may refer to any text. */
  readonly hasUnreadable: boolean;
}

/** Reads the versions of all units, in no order. */
export function readAllVersions(etcd: Etcd, keys: Keys): Promise<AllVersions> {
  return readRange(etcd, keys, keys.versions());
}

async function readRange(etcd: Etcd, keys: Keys, range: KeyRange): Promise<AllVersions> {
  const versions = new Map<string, KeptVersion[]>();
  let hasUnreadable = false;
  const pages = new RangeReader(etcd).pages(range, undefined, new AbortController().signal);
  for await (const { keyValues } of pages) {
    for (const { key, value, createRevision } of keyValues) {
      const parsed = keys.parse(key);
      const record = decodeVersion(value);
      if (parsed?.kind !== "version" || record === null) {
        hasUnreadable = true;
        continue;
      }
      const version = { ...record, id: parsed.id, createRevision };
      const before = versions.get(parsed.name);
      if (before === undefined) versions.set(parsed.name, [version]);
      else before.push(version);
    }
  }
  return { versions, hasUnreadable };
}

import { decodeVersion, inOrder, type KeptVersion, type KeyRange, type Keys } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { RangeReader } from "./range-reader.ts";

/** The versions that a unit has had and that are kept, the newest first; none of a unit that nobody has heard of. */
export async function readVersions(etcd: Etcd, keys: Keys, name: string): Promise<readonly KeptVersion[]> {
  for await (const history of histories(etcd, keys, keys.versionsOf(name)))
    if (history.kind === "unit") return inOrder(history.versions);
  return [];
}

/** What is read of units' histories. */
export type UnitHistory =
  /** Versions of one unit, in no order. */
  | { readonly kind: "unit"; readonly name: string; readonly versions: readonly KeptVersion[] }
  /** A version that can't be read, as a newer version of fleet may write it: it may refer to any text. */
  | { readonly kind: "unreadable" };

/** The versions of all units, one unit after the other. */
export function readHistories(etcd: Etcd, keys: Keys): AsyncIterable<UnitHistory> {
  return histories(etcd, keys, keys.versions());
}

/** etcd has keys in order, so that those of a unit stand together: no more of them than a unit has are held. */
async function* histories(etcd: Etcd, keys: Keys, range: KeyRange): AsyncGenerator<UnitHistory, void> {
  let name = "";
  let versions: KeptVersion[] = [];
  for await (const { keyValues } of new RangeReader(etcd).pages(range, undefined, new AbortController().signal)) {
    for (const { key, value, createRevision } of keyValues) {
      const parsed = keys.parse(key);
      const record = decodeVersion(value);
      if (parsed?.kind !== "version" || record === null) {
        yield { kind: "unreadable" };
        continue;
      }
      if (parsed.name !== name && versions.length > 0) {
        yield { kind: "unit", name, versions };
        versions = [];
      }
      name = parsed.name;
      versions.push({ ...record, id: parsed.id, createRevision });
    }
  }
  if (versions.length > 0) yield { kind: "unit", name, versions };
}

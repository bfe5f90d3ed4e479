import type { Compare, KeyValue, Op } from "@fleet/domain/cluster";
import type { ICompare, IKeyValue, IRequestOp } from "etcd3";
import type { WatchEvent } from "./etcd.ts";
import type { EtcdPosition } from "./etcd-history.ts";
import type { KeyValueMessage } from "./etcd3-messages.ts";

/** A key and its value as they were read, by either way of reading. */
type AnyKeyValue = Pick<IKeyValue, "key" | "value" | "create_revision" | "mod_revision"> | KeyValueMessage;

/** A key and its value as fleet knows them. */
export function keyValueOf({ key, value, create_revision, mod_revision }: AnyKeyValue): KeyValue {
  return {
    key: key.toString(),
    value: value.toString(),
    createRevision: Number(create_revision),
    modRevision: Number(mod_revision),
  };
}

/** An event of a watch; `type` is a word of either case or a number, for which etcd3's types have a number only. */
export function watchEventOf({ type, kv }: { readonly type: unknown; readonly kv: AnyKeyValue }): WatchEvent {
  return type === "Delete" || type === "DELETE"
    ? { kind: "delete", key: kv.key.toString(), revision: Number(kv.mod_revision) }
    : { kind: "put", keyValue: keyValueOf(kv) };
}

/** The position of an answer's header; null where there is none. The ID is rounded, by either way of reading. */
export function positionOf(
  header: { readonly cluster_id: string | number; readonly revision: string | number } | null | undefined,
): EtcdPosition | null {
  if (header == null) return null;
  const id = header.cluster_id;
  const clusterID = typeof id === "number" ? id : Number(BigInt.asIntN(64, BigInt(id)));
  return { clusterID: String(clusterID), revision: Number(header.revision) };
}

/** A condition as etcd3 sends it. */
export function compareRequest(condition: Compare): ICompare {
  const key = Buffer.from(condition.key);
  return "modRevision" in condition
    ? { key, target: "Mod", result: "Equal", mod_revision: condition.modRevision }
    : { key, target: "Create", result: "Equal", create_revision: condition.createRevision };
}

/**
 * Operations as etcd3 sends them. A transaction that changes nothing is answered by etcd without a quorum, maybe from the
 * past, unless it reads: where there are conditions and no operations, the first key is read.
 */
export function opRequests(compares: readonly Compare[], ops: readonly Op[]): IRequestOp[] {
  const first = compares[0];
  if (ops.length === 0 && first !== undefined) {
    return [{ request_range: { key: Buffer.from(first.key), keys_only: true } }];
  }
  return ops.map(opRequest);
}

function opRequest(op: Op): IRequestOp {
  if ("put" in op) {
    const key = Buffer.from(op.put);
    return {
      request_put: { key, value: Buffer.from(op.value), ...(op.lease === undefined ? {} : { lease: op.lease }) },
    };
  }
  if ("delete" in op) return { request_delete_range: { key: Buffer.from(op.delete) } };
  return { request_range: { key: Buffer.from(op.get) } };
}

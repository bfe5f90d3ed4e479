import type { Compare, KeyValue, Op } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";

/** Operations a transaction: etcd's default limit is 128. */
export const MOST_OPS = 120;

/** What became of operations in several transactions. */
export interface WrittenInParts {
  /** False: the conditions did not hold at one of them; what came before it is written. */
  readonly succeeded: boolean;
  /** The etcd revision after the last transaction; 0 where there was nothing to write. */
  readonly revision: number;
}

/**
 * Writes any number of operations, in their order, in as few transactions as etcd takes: not all at once, but each with
 * the same conditions. A key may be there once only.
 */
export async function inTransactions(
  etcd: Etcd,
  ops: readonly Op[],
  compares: readonly Compare[] = [],
): Promise<WrittenInParts> {
  let revision = 0;
  for (const part of parts(ops)) {
    const result = await etcd.txn(compares, part);
    revision = result.revision;
    if (!result.succeeded) return { succeeded: false, revision };
  }
  return { succeeded: true, revision };
}

/**
 * Reads any number of keys right now, in as few transactions as etcd takes, one after the other: each has the whole time
 * of a request to itself, also where many clients ask at the same time.
 *
 * @returns what was found, in the order of the keys; null where there is no such key
 */
export async function readKeys(etcd: Etcd, keys: readonly string[]): Promise<readonly (KeyValue | null)[]> {
  const gets = keys.map((key): Op => ({ get: key }));
  const found: (KeyValue | null)[] = [];
  for (const part of parts(gets)) found.push(...(await etcd.txn([], part)).gets);
  return found;
}

function parts(ops: readonly Op[]): readonly (readonly Op[])[] {
  const count = Math.ceil(ops.length / MOST_OPS);
  return Array.from({ length: count }, (_, index) => ops.slice(index * MOST_OPS, (index + 1) * MOST_OPS));
}

import { setTimeout as sleep } from "node:timers/promises";
import { type Compare, type Keys, type KeyValue, type Op, RegistryError } from "@fleet/domain/cluster";
import { hashText } from "@fleet/domain/unit";
import { backoff } from "@fleet/loop";
import type { Etcd } from "./etcd.ts";
import { readKeys } from "./transactions.ts";

/**
 * A write that was sent long ago may arrive late: when its connection works again, its sender has given up, and somebody
 * else has undone by then what it did or was to do. A key that is there is guarded by its revision. One that is not has none,
 * so each deletion leaves a note in one of 256 keys, by the hash of what was deleted, and a creation compares that note.
 */

/** A write or deletion of one key. */
export type GuardedOp = Extract<Op, { put: string } | { delete: string }>;

const SLOT_DIGITS = 2;
const MOST_TRIES = 8;
/** Of one transaction: each may take a second operation, and a second condition. */
const MOST_OPS = 50;

/** The note that goes with the deletion of a key. */
export function deletionNote(keys: Keys, deleted: string): Op {
  return { put: noteKey(keys, deleted), value: deleted };
}

/**
 * Whether each of some keys that are not there may have been deleted after an etcd revision. A note is shared by keys of the
 * same hash: after the deletion of another one it says so too.
 */
export async function mayBeDeletedSince(
  etcd: Etcd,
  keys: Keys,
  gone: readonly string[],
  revision: number,
): Promise<readonly boolean[]> {
  const notes = await readKeys(
    etcd,
    gone.map((key) => noteKey(keys, key)),
  );
  return notes.map((note) => note !== null && note.modRevision > revision);
}

/**
 * Conditions for keys that are to be created: nothing of their like was deleted since this was asked. To be asked for
 * when the creation is wanted, and not earlier.
 */
export async function creationGuards(etcd: Etcd, keys: Keys, created: readonly string[]): Promise<readonly Compare[]> {
  const notes = [...new Set(created.map((key) => noteKey(keys, key)))];
  if (notes.length === 0) return [];
  const [first = "", last = first] = [notes.toSorted()[0], notes.toSorted().at(-1)];
  const { keyValues } = await etcd.range({ start: first, end: `${last}\0` }, { keysOnly: true });
  const revisions = new Map(keyValues.map(({ key, modRevision }) => [key, modRevision]));
  return notes.map((key) => ({ key, modRevision: revisions.get(key) ?? 0 }));
}

/**
 * Writes keys as they are asked for, whatever they are now: a later one replaces an earlier one. What arrives late, after
 * any of them has changed again, changes nothing. More than 50 are several transactions. A key may be there once only.
 *
 * @returns the etcd revision that holds the last of them; 0 where there are none
 * @throws RegistryError `conflict` where others change the same keys all the time
 */
export async function writeGuarded(etcd: Etcd, keys: Keys, ops: readonly GuardedOp[]): Promise<number> {
  let revision = 0;
  for (let start = 0; start < ops.length; start += MOST_OPS)
    revision = await writePart(etcd, keys, ops.slice(start, start + MOST_OPS));
  return revision;
}

async function writePart(etcd: Etcd, keys: Keys, ops: readonly GuardedOp[]): Promise<number> {
  const written = ops.map((op) => ("put" in op ? op.put : op.delete));
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    if (attempt > 0) await sleep(backoff(attempt - 1));
    const found = await readKeys(etcd, written);
    const absent = written.filter((_key, index) => found[index] == null);
    const compares: Compare[] = [
      ...written.map((key, index) => ({ key, modRevision: found[index]?.modRevision ?? 0 })),
      ...(await creationGuards(etcd, keys, absent)),
    ];
    const { succeeded, revision } = await etcd.txn(compares, [...ops, ...notesOf(keys, ops, found)]);
    if (succeeded) return revision;
  }
  throw new RegistryError("conflict", `${written[0]} was changed by others each of ${MOST_TRIES} times; try again`);
}

function notesOf(keys: Keys, ops: readonly GuardedOp[], found: readonly (KeyValue | null)[]): readonly Op[] {
  const notes = new Map<string, Op>();
  for (const [index, op] of ops.entries())
    if ("delete" in op && found[index] != null) notes.set(noteKey(keys, op.delete), deletionNote(keys, op.delete));
  return [...notes.values()];
}

function noteKey(keys: Keys, deleted: string): string {
  return keys.deletion(hashText(deleted).slice(0, SLOT_DIGITS));
}

import { type Change, ClusterState, type KeyRange, type Keys, RegistryError } from "@fleet/domain/cluster";
import type { Etcd, WatchBatch } from "./etcd.ts";
import { cover } from "./mirror.ts";
import { isIn } from "./mirror-check.ts";
import { RangeReader } from "./range-reader.ts";

/** Keys a page, without values. */
const PAGE_KEYS = 5_000;

/** A part of the registry, and where it is read. */
interface Part {
  readonly etcd: Etcd;
  readonly keys: Keys;
  readonly ranges: readonly KeyRange[];
}

/**
 * What has changed between two revisions of the past, in order, by etcd's own history: the part is read as of `from`, and
 * watched from there on until all has come that was to be seen at `to`. One watch has all ranges, so that what was created
 * and deleted in between lies before something that is still to be seen: fleet notes each destruction of a unit.
 *
 * @param from after this revision
 * @param to up to this revision, which etcd has reached
 * @throws RegistryError `compacted` where etcd no longer has that history; the signal's reason where it aborts
 */
export async function changesBetween(
  part: Part,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Change[]> {
  const state = new ClusterState(part.keys);
  const known = new Set<string>();
  const reader = new RangeReader(part.etcd);
  for (const range of part.ranges) {
    for await (const { keyValues } of reader.pages(range, from, signal)) {
      signal.throwIfAborted();
      for (const keyValue of keyValues) {
        known.add(keyValue.key);
        state.put(keyValue);
      }
    }
  }
  const awaited = await awaitedKeys(part, known, from, to, signal);
  const changes: Change[] = [];
  await watchUntil(part, from, to, awaited, signal, ({ events }) => {
    for (const event of events) {
      const key = event.kind === "put" ? event.keyValue.key : event.key;
      const revision = event.kind === "put" ? event.keyValue.modRevision : event.revision;
      if (revision > to || !part.ranges.some((range) => isIn(range, key))) continue;
      const change = event.kind === "put" ? state.put(event.keyValue) : state.delete(key, revision);
      if (change !== null) changes.push(change);
    }
  });
  return changes;
}

/** Of keys that are different at `to` the revision that they have there; null: they are gone. */
type AwaitedKeys = ReadonlyMap<string, number | null>;

async function awaitedKeys(
  { etcd, ranges }: Part,
  known: ReadonlySet<string>,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<AwaitedKeys> {
  const awaited = new Map<string, number | null>([...known].map((key) => [key, null]));
  for (const range of ranges) {
    let after: string | undefined;
    do {
      signal.throwIfAborted();
      const page = await etcd.range(range, { after, revision: to, limit: PAGE_KEYS, keysOnly: true });
      for (const { key, modRevision } of page.keyValues) {
        if (modRevision > from) awaited.set(key, modRevision);
        else awaited.delete(key);
      }
      after = page.more ? page.keyValues.at(-1)?.key : undefined;
    } while (after !== undefined);
  }
  return awaited;
}

/** Hands on what a watch tells, until it has come to `to`, or told of all keys that are awaited. */
async function watchUntil(
  { etcd, ranges }: Part,
  from: number,
  to: number,
  awaited: AwaitedKeys,
  signal: AbortSignal,
  onBatch: (batch: WatchBatch) => void,
): Promise<void> {
  if (awaited.size === 0) return;
  const missing = new Map(awaited);
  const enough = new AbortController();
  const note = (key: string, revision: number | null): void => {
    const expected = awaited.get(key);
    if (expected === undefined) return;
    if (expected === revision) missing.delete(key);
    else missing.set(key, expected);
  };
  await etcd.watch(
    [{ range: cover(ranges), from: from + 1 }],
    AbortSignal.any([signal, enough.signal]),
    (batch) => {
      if (enough.signal.aborted) return;
      onBatch(batch);
      for (const event of batch.events) {
        if (event.kind === "put") note(event.keyValue.key, event.keyValue.modRevision);
        else note(event.key, null);
      }
      const hasReached = batch.events.length > 0 && batch.revision >= to;
      if (hasReached || missing.size === 0) enough.abort();
    },
    () => undefined,
  );
  signal.throwIfAborted();
  if (!enough.signal.aborted) throw new RegistryError("unavailable", "etcd ended the watch of the past");
}

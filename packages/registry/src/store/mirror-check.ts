import { setTimeout as sleep } from "node:timers/promises";
import type { KeyRange, Keys } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";

/** The revisions of a key here and in etcd; 0: it is not there. Of keys that are only counted: how many there are. */
export interface Difference {
  readonly ours: number;
  readonly theirs: number;
}

/** Keys a page, without values. */
const PAGE_KEYS = 5_000;
/** How long events may be on their way. */
const GRACE_MS = 5_000;

/** What a check compares. */
export interface CheckedMirror {
  readonly etcd: Etcd;
  readonly keys: Keys;
  readonly ranges: readonly KeyRange[];
  /** The revision of each key, as the mirror has it at the moment. */
  readonly known: ReadonlyMap<string, number>;
}

/**
 * Asks etcd whether a mirror has what etcd has, by the revisions of keys: etcd has lost events of watches without saying
 * so (etcd issues 18089 and 20655). Keys of unit files are only counted: they never change, and etcd reads values even
 * where it sends keys alone. What differs is looked at again some seconds later, for events may be on their way.
 *
 * @returns how many keys the mirror has missed the change of
 */
export async function missedChanges(mirror: CheckedMirror, signal: AbortSignal): Promise<number> {
  const first = await differencesNow(mirror, signal);
  if (first.size === 0) return 0;
  await sleep(GRACE_MS, undefined, { signal });
  return missedOf(first, await differencesNow(mirror, signal));
}

/** How many keys have stayed as they are here while etcd has something else. */
export function missedOf(first: ReadonlyMap<string, Difference>, second: ReadonlyMap<string, Difference>): number {
  return [...second].filter(([key, { ours }]) => first.get(key)?.ours === ours).length;
}

/** What differs between revisions of keys here and there. */
export function differences(
  ours: ReadonlyMap<string, number>,
  theirs: ReadonlyMap<string, number>,
): ReadonlyMap<string, Difference> {
  const found = new Map<string, Difference>();
  for (const [key, revision] of theirs) {
    const known = ours.get(key) ?? 0;
    if (known !== revision) found.set(key, { ours: known, theirs: revision });
  }
  for (const [key, revision] of ours) if (!theirs.has(key)) found.set(key, { ours: revision, theirs: 0 });
  return found;
}

async function differencesNow(mirror: CheckedMirror, signal: AbortSignal): Promise<ReadonlyMap<string, Difference>> {
  const { etcd, keys, known } = mirror;
  const theirs = new Map<string, number>();
  const files = folderOf(keys.unitFile(""));
  const listed: KeyRange[] = [];
  const counted: KeyRange[] = [];
  for (const range of mirror.ranges) {
    listed.push(...without(range, files));
    const shared = common(range, files);
    if (shared !== null) counted.push(shared);
  }
  for (const range of listed) {
    let after: string | undefined;
    let revision: number | undefined;
    do {
      signal.throwIfAborted();
      const page = await etcd.range(range, { after, revision, limit: PAGE_KEYS, keysOnly: true });
      for (const { key, modRevision } of page.keyValues) theirs.set(key, modRevision);
      revision ??= page.revision;
      after = page.more ? page.keyValues.at(-1)?.key : undefined;
    } while (after !== undefined);
  }
  const counts = new Map<string, number>();
  for (const range of counted) {
    const { count } = await etcd.range(range, { limit: 1, keysOnly: true });
    counts.set(range.start, count);
  }
  return compared(known, { listed, counted }, theirs, counts);
}

/** Compares all of it at one moment: what is known here goes on changing. */
function compared(
  known: ReadonlyMap<string, number>,
  { listed, counted }: { readonly listed: readonly KeyRange[]; readonly counted: readonly KeyRange[] },
  theirs: ReadonlyMap<string, number>,
  counts: ReadonlyMap<string, number>,
): ReadonlyMap<string, Difference> {
  const ours = new Map<string, number>();
  const ourCounts = new Map(counted.map(({ start }) => [start, 0]));
  for (const [key, revision] of known) {
    if (listed.some((range) => isIn(range, key))) ours.set(key, revision);
    const range = counted.find((candidate) => isIn(candidate, key));
    if (range !== undefined) ourCounts.set(range.start, (ourCounts.get(range.start) ?? 0) + 1);
  }
  return new Map([...differences(ours, theirs), ...differences(ourCounts, counts)]);
}

/** Whether a key is in a range. */
export function isIn({ start, end }: KeyRange, key: string): boolean {
  return start <= key && key < end;
}

/** All keys under one that ends in a slash. */
function folderOf(start: string): KeyRange {
  return { start, end: `${start.slice(0, -1)}0` };
}

function common(a: KeyRange, b: KeyRange): KeyRange | null {
  const [, start = ""] = [a.start, b.start].sort();
  const [end = ""] = [a.end, b.end].sort();
  return start < end ? { start, end } : null;
}

function without(range: KeyRange, hole: KeyRange): readonly KeyRange[] {
  if (common(range, hole) === null) return [range];
  const parts = [
    { start: range.start, end: hole.start },
    { start: hole.end, end: range.end },
  ];
  return parts.filter(({ start, end }) => start < end);
}

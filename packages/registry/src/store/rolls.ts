import { setTimeout as sleep } from "node:timers/promises";
import { type Compare, type Keys, type KeyValue, type Op, RegistryError } from "@fleet/domain/cluster";
import {
  afterOrder,
  begun,
  decodeRoll,
  decodeRollProgress,
  encodeRoll,
  encodeRollProgress,
  isOver,
  type RollOrder,
  type RollProgress,
  type RollRecord,
} from "@fleet/domain/roll";
import { backoff } from "@fleet/loop";
import type { Etcd } from "./etcd.ts";
import { RangeReader } from "./range-reader.ts";

/** A roll as it is in etcd. */
export interface KeptRoll {
  readonly id: string;
  readonly roll: RollRecord;
  readonly progress: RollProgress;
}

/** How many rolls are kept that are over. */
const MOST_OVER = 20;
const MOST_TRIES = 8;

interface Found extends KeptRoll {
  /** Of how far it is. */
  readonly modRevision: number;
}

/**
 * Begins a roll, unless one of its units is in another that is not over. Of the rolls that are over the oldest go.
 *
 * @param sources texts of its units as their users wrote them, by hash: they go before it
 * @returns its ID, and the etcd revision that holds it
 * @throws RegistryError `refused` where another roll has one of its units
 */
export async function createRoll(
  etcd: Etcd,
  keys: Keys,
  roll: RollRecord,
  sources: ReadonlyMap<string, string>,
): Promise<{ readonly id: string; readonly revision: number }> {
  for (const [hash, text] of sources) await etcd.txn([], [{ put: keys.source(hash), value: text }]);
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    if (attempt > 0) await sleep(backoff(attempt - 1));
    const { rolls, unreadable, count, countRevision } = await readRolls(etcd, keys);
    refuseShared(roll, rolls, unreadable, null);
    const id = String(count + 1);
    const over = rolls.filter(({ progress }) => isOver(progress));
    const ops: Op[] = [
      { put: keys.rollCount(), value: id },
      { put: keys.roll(id), value: encodeRoll(roll) },
      { put: keys.rollProgress(id), value: encodeRollProgress(begun(roll)) },
      ...over
        .slice(0, Math.min(MOST_OVER, Math.max(0, over.length - MOST_OVER + 1)))
        .flatMap((old) => deletionOf(keys, old.id)),
    ];
    const { succeeded, revision } = await etcd.txn([{ key: keys.rollCount(), modRevision: countRevision }], ops);
    if (succeeded) return { id, revision };
  }
  throw tooBusy("other rolls were begun");
}

/**
 * Tells a roll something.
 *
 * @param by who does; null: that is not known
 * @returns the etcd revision that holds it
 * @throws RegistryError `not-found`; `refused` where it can't be done, with the reason
 */
export async function orderRoll(
  etcd: Etcd,
  keys: Keys,
  id: string,
  order: RollOrder,
  by: string | null,
): Promise<number> {
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    if (attempt > 0) await sleep(backoff(attempt - 1));
    const { rolls, unreadable, count, countRevision } = await readRolls(etcd, keys);
    const found = rolls.find((roll) => roll.id === id);
    if (found === undefined) throw new RegistryError("not-found", `there is no roll ${id}`);
    const after = afterOrder(found.roll, found.progress, order, by);
    if (typeof after === "string") throw new RegistryError("refused", `roll ${id} ${after}`);
    const isRevived = isOver(found.progress) && !isOver(after);
    if (isRevived) refuseShared(found.roll, rolls, unreadable, id);
    const compares: Compare[] = [
      { key: keys.rollProgress(id), modRevision: found.modRevision },
      // No other may begin meanwhile with the units of one that goes on.
      { key: keys.rollCount(), modRevision: countRevision },
    ];
    const { succeeded, revision } = await etcd.txn(compares, [
      { put: keys.rollProgress(id), value: encodeRollProgress(after) },
      // Two that are revived at once, or one beside a new one, exclude each other by it.
      ...(isRevived ? [{ put: keys.rollCount(), value: String(count) }] : []),
    ]);
    if (succeeded) return revision;
  }
  throw tooBusy(`roll ${id} went on`);
}

/** All rolls that are kept, the oldest first. */
export async function keptRolls(etcd: Etcd, keys: Keys): Promise<readonly KeptRoll[]> {
  return (await readRolls(etcd, keys)).rolls;
}

/** What etcd has of rolls. */
interface AllRolls {
  readonly rolls: readonly Found[];
  /** IDs of rolls that can't be read, as a newer version of fleet may write them: they may be under way. */
  readonly unreadable: readonly string[];
  /** The number of the last one, and the revision that wrote it; 0: there was none. */
  readonly count: number;
  readonly countRevision: number;
}

async function readRolls(etcd: Etcd, keys: Keys): Promise<AllRolls> {
  const found = new Map<string, KeyValue>();
  for await (const { keyValues } of new RangeReader(etcd).pages(keys.rolls(), undefined, new AbortController().signal))
    for (const keyValue of keyValues) found.set(keyValue.key, keyValue);
  const rolls: Found[] = [];
  const unreadable: string[] = [];
  for (const [key, { value }] of found) {
    const parsed = keys.parse(key);
    if (parsed?.kind !== "roll") continue;
    const { id } = parsed;
    const kept = found.get(keys.rollProgress(id));
    const [roll, progress] = [decodeRoll(value), kept === undefined ? null : decodeRollProgress(kept.value)];
    if (roll === null || progress === null || kept === undefined) unreadable.push(id);
    else rolls.push({ id, roll, progress, modRevision: kept.modRevision });
  }
  const counted = found.get(keys.rollCount());
  const count = Number(counted?.value ?? 0);
  return {
    rolls: rolls.toSorted((a, b) => Number(a.id) - Number(b.id)),
    unreadable,
    count: Number.isSafeInteger(count) ? count : 0,
    countRevision: counted?.modRevision ?? 0,
  };
}

/** @param except the roll itself; null: it is new */
function refuseShared(
  roll: RollRecord,
  rolls: readonly KeptRoll[],
  unreadable: readonly string[],
  except: string | null,
): void {
  if (unreadable.length > 0)
    throw new RegistryError(
      "refused",
      `roll ${unreadable[0]} in etcd can't be read, maybe one of a newer version, and may have some of these units: use that version, or delete its keys under rolls/ and roll-progress/`,
    );
  const names = new Set(roll.units.map(({ name }) => name));
  for (const other of rolls) {
    if (other.id === except || isOver(other.progress)) continue;
    const shared = other.roll.units.find(({ name }) => names.has(name));
    if (shared !== undefined)
      throw new RegistryError("refused", `unit ${shared.name} is in roll ${other.id}, which is not over`);
  }
}

const deletionOf = (keys: Keys, id: string): readonly Op[] => [
  { delete: keys.roll(id) },
  { delete: keys.rollProgress(id) },
];

const tooBusy = (why: string): RegistryError =>
  new RegistryError("conflict", `${why} each of ${MOST_TRIES} times; try again`);

import { type Compare, encodeSchedule, type Keys, type Op, RegistryError } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { creationGuards, deletionNote, mayBeDeletedSince } from "./guarded-writes.ts";
import { readKeys } from "./transactions.ts";

/**
 * Which of some units the registry does not know, though nobody has destroyed them: etcd was restored from a backup that is
 * older than they are. Each destruction leaves a note in the transaction that takes the record.
 *
 * @param seenAt the etcd revision at which they were last known; null: that was in another history of etcd, and no note
 * can tell
 */
export async function unknownUnits(
  etcd: Etcd,
  keys: Keys,
  names: readonly string[],
  seenAt: number | null,
): Promise<ReadonlySet<string>> {
  const records = await readKeys(
    etcd,
    names.map((name) => keys.unit(name)),
  );
  const gone = names.filter((_name, index) => records[index] == null);
  if (seenAt === null || gone.length === 0) return new Set(gone);
  const recordKeys = gone.map((name) => keys.unit(name));
  const isDestroyed = await mayBeDeletedSince(etcd, keys, recordKeys, seenAt);
  return new Set(gone.filter((_name, index) => isDestroyed[index] !== true));
}

/** Machines a transaction: each takes a condition and an operation. */
const MOST_MACHINES = 50;
/** Of an entry that names no file: nobody is to load it. */
const NO_FILE = "0".repeat(40);

/**
 * Has machines take a unit away that the registry does not know. Each gets an entry in its schedule that says so, and goes
 * again at once, with the note that every destruction leaves: a machine that is away then finds the note.
 *
 * @returns the etcd revision after it
 * @throws RegistryError `conflict` where the registry knows the unit by now
 */
export async function destroyUnknown(
  etcd: Etcd,
  keys: Keys,
  name: string,
  machineIDs: readonly string[],
): Promise<number> {
  let revision = 0;
  for (let start = 0; start < machineIDs.length; start += MOST_MACHINES) {
    const entries = machineIDs.slice(start, start + MOST_MACHINES).map((id) => keys.schedule(id, name));
    revision = await destroyOn(etcd, keys, name, entries);
  }
  return revision;
}

async function destroyOn(etcd: Etcd, keys: Keys, name: string, entries: readonly string[]): Promise<number> {
  const isUnknown: Compare = { key: keys.unit(name), modRevision: 0 };
  const value = encodeSchedule({ hash: NO_FILE, desiredState: "inactive" });
  const guards = await creationGuards(etcd, keys, [isUnknown.key]);
  const told = await etcd.txn(
    [isUnknown, ...guards],
    entries.map((key): Op => ({ put: key, value })),
  );
  if (!told.succeeded) throw new RegistryError("conflict", `unit ${name} is known by now: destroy it once more`);
  const note = deletionNote(keys, isUnknown.key);
  const take = (taken: readonly string[]): ReturnType<Etcd["txn"]> =>
    etcd.txn(
      taken.map((key) => ({ key, modRevision: told.revision })),
      [...taken.map((key): Op => ({ delete: key })), note],
    );
  const { succeeded, revision } = await take(entries);
  if (succeeded) return revision;
  // One of them was replaced meanwhile, by the engine that places a new unit of that name: that one stays.
  for (const key of entries) await take([key]);
  return revision;
}

import { encodeCordon, encodeMove, type Keys, type MoveRecord, RegistryError } from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import { deletionNote, writeGuarded } from "./guarded-writes.ts";

/**
 * Cordons a machine: it gets nothing new, also while it is away. With `drain` the engine moves its units away too.
 *
 * @returns the etcd revision that holds it
 */
export async function cordonMachine(
  etcd: Etcd,
  keys: Keys,
  machineID: string,
  cordon: { readonly drain: boolean; readonly since: Date },
): Promise<number> {
  const value = encodeCordon({ drain: cordon.drain, since: cordon.since.toISOString() });
  return writeGuarded(etcd, keys, [{ put: keys.cordon(machineID), value }]);
}

/** Takes a cordon away, and ends a drain where it is. Nothing happens where there is none. */
export async function uncordonMachine(etcd: Etcd, keys: Keys, machineID: string): Promise<number> {
  return writeGuarded(etcd, keys, [{ delete: keys.cordon(machineID) }]);
}

/**
 * Forgets a machine that is lost: it is listed no longer, and a cordon of it goes too.
 *
 * @returns the etcd revision that holds it
 * @throws RegistryError `refused` where the machine is here
 */
export async function forgetMachine(etcd: Etcd, keys: Keys, machineID: string): Promise<number> {
  const absent = { key: keys.machine(machineID), createRevision: 0 };
  const cordon = keys.cordon(machineID);
  const gone = [{ delete: keys.knownMachine(machineID) }, { delete: cordon }, deletionNote(keys, cordon)];
  const { succeeded, revision } = await etcd.txn([absent], gone);
  if (succeeded) return revision;
  throw new RegistryError("refused", `machine ${machineID} is here: stop its agent first`);
}

/** Asks for moves; the engine does them. A unit's later request takes the place of an earlier one. */
export async function requestMoves(
  etcd: Etcd,
  keys: Keys,
  moves: readonly (MoveRecord & { readonly unit: string })[],
): Promise<number> {
  const ops = moves.map(({ unit, ...record }) => ({ put: keys.move(unit), value: encodeMove(record) }));
  return writeGuarded(etcd, keys, ops);
}

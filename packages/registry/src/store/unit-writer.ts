import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ChangeStamp,
  ClusterState,
  type Keys,
  type KnownUnit,
  needsFile,
  type Op,
  type PlannedChange,
  planUnitChange,
  RegistryError,
  type UnitChange,
  type UnitOutcome,
} from "@fleet/domain/cluster";
import { backoff } from "@fleet/loop";
import type { Etcd, TxnResult } from "./etcd.ts";
import { creationGuards, deletionNote } from "./guarded-writes.ts";
import { isIn } from "./mirror-check.ts";
import { MOST_OPS, readKeys } from "./transactions.ts";

/** A change that was carried out. */
export interface UnitResult {
  readonly outcome: UnitOutcome;
  /** The etcd revision that holds it. */
  readonly revision: number;
}

/** Looks a unit up in memory; undefined: this reader can't tell, ask etcd. */
export type KnownUnits = (name: string) => KnownUnit | null | undefined;

/** Has a reader know the file of that hash, if etcd has it: many are read at once where many ask. */
export type BringFile = (hash: string) => Promise<unknown>;

/** Who asks for a change, and why, for the unit's history; null: that is not known. */
export interface ChangeAuthor {
  readonly by: string | null;
  readonly message: string | null;
}

interface Pending {
  readonly change: UnitChange;
  readonly stamp: ChangeStamp;
  readonly resolve: (result: UnitResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Of values in a transaction: etcd's default limit is 1.5 MiB for all of it. */
const MOST_BYTES = 1_000_000;
const MOST_IN_FLIGHT = 3;
const MOST_TRIES = 8;

/**
 * Carries out changes of units. Changes that arrive while others are on their way go together in one transaction;
 * where its conditions fail, each is tried by itself on a fresh read, a bounded number of times.
 */
export class UnitWriter {
  readonly #etcd: Etcd;
  readonly #keys: Keys;
  readonly #known: KnownUnits;
  readonly #bringFile: BringFile;
  readonly #queue: Pending[] = [];
  readonly #busyKeys = new Set<string>();
  #inFlight = 0;
  #isScheduled = false;

  /**
   * @param known a mirror's view; absent: every unit is read from etcd first
   * @param bringFile absent: `known` tells all files, or a unit whose file it does not tell is read from etcd first
   */
  constructor(
    etcd: Etcd,
    keys: Keys,
    known: KnownUnits = () => undefined,
    bringFile: BringFile = () => Promise.resolve(),
  ) {
    this.#bringFile = bringFile;
    this.#etcd = etcd;
    this.#keys = keys;
    this.#known = known;
  }

  /**
   * Carries out a change.
   *
   * @throws InvalidUnitError, RegistryError
   */
  async submit(change: UnitChange, author: ChangeAuthor = { by: null, message: null }): Promise<UnitResult> {
    const stamp = { id: newVersionID(), at: new Date().toISOString(), ...author };
    const known = this.#known(change.name);
    if (known === undefined) return this.#alone(change, stamp);
    if (known !== null && needsFile(change, known)) await this.#bringFile(known.record.hash);
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, stamp, resolve, reject });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#flush();
      });
    });
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#inFlight < MOST_IN_FLIGHT) {
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      this.#inFlight++;
      void this.#commit(batch).finally(() => {
        this.#inFlight--;
        for (const { pending } of batch) this.#busyKeys.delete(pending.change.name);
        this.#flush();
      });
    }
  }

  /** Plans queued changes until a transaction is full. Two changes of one unit never travel together. */
  #takeBatch(): { readonly pending: Pending; readonly plan: PlannedChange }[] {
    const batch: { pending: Pending; plan: PlannedChange }[] = [];
    const waiting: Pending[] = [];
    let ops = 0;
    let bytes = 0;
    while (this.#queue.length > 0 && ops < MOST_OPS - 4 && bytes < MOST_BYTES / 2) {
      const pending = this.#queue.shift();
      if (pending === undefined) break;
      if (this.#busyKeys.has(pending.change.name)) {
        waiting.push(pending);
        continue;
      }
      const known = this.#known(pending.change.name) ?? null;
      if (needsFile(pending.change, known)) {
        void this.#alone(pending.change, pending.stamp).then(pending.resolve, pending.reject);
        continue;
      }
      try {
        const plan = planUnitChange(this.#keys, pending.change, known, pending.stamp);
        const isDestroyed = plan.outcome === "destroyed";
        const size = bytesOf(plan.ops);
        if (batch.length > 0 && bytes + size > MOST_BYTES) {
          waiting.push(pending);
          break;
        }
        ops += Math.max(1, plan.ops.length) + (isDestroyed ? 1 : 0);
        bytes += size;
        this.#busyKeys.add(pending.change.name);
        batch.push({ pending, plan });
      } catch (error) {
        // What the memory refuses may be allowed by what etcd holds by now.
        if (error instanceof RegistryError)
          void this.#alone(pending.change, pending.stamp).then(pending.resolve, pending.reject);
        else pending.reject(error);
      }
    }
    this.#queue.unshift(...waiting);
    return batch;
  }

  async #commit(batch: readonly { readonly pending: Pending; readonly plan: PlannedChange }[]): Promise<void> {
    try {
      const { succeeded, revision } = await this.#transact(batch.map(({ plan }) => plan));
      if (succeeded) {
        for (const { pending, plan } of batch) pending.resolve(resultOf(plan, revision));
        return;
      }
    } catch (error) {
      for (const { pending } of batch) pending.reject(error);
      return;
    }
    await Promise.all(
      batch.map(({ pending }) => this.#alone(pending.change, pending.stamp).then(pending.resolve, pending.reject)),
    );
  }

  async #alone(change: UnitChange, stamp: ChangeStamp): Promise<UnitResult> {
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      if (attempt > 0) await sleep(backoff(attempt - 1));
      const known = await readUnit(this.#etcd, this.#keys, change.name);
      const plan = planUnitChange(this.#keys, change, known, stamp);
      const { succeeded, revision } = await this.#transact([plan]);
      if (succeeded) return resultOf(plan, revision);
    }
    throw new RegistryError(
      "conflict",
      `unit ${change.name} was changed by others each of ${MOST_TRIES} times; try again`,
    );
  }

  /**
   * Sends plans in one transaction. Where etcd would refuse it for its size, as of one large unit, the texts that users
   * wrote go before it: nothing refers to them until it is carried out. A creation that arrives late, after the unit was
   * destroyed, brings nothing back.
   */
  async #transact(plans: readonly PlannedChange[]): Promise<TxnResult> {
    const etcd = this.#etcd;
    const keys = this.#keys;
    const created = plans.filter(({ outcome }) => outcome === "created").map(({ compare }) => compare.key);
    const guards = await creationGuards(etcd, keys, created);
    const ops = new Map<string, Op>();
    for (const plan of plans) {
      const notes = plan.outcome === "destroyed" ? [deletionNote(keys, plan.compare.key)] : [];
      for (const op of [...plan.ops, ...notes]) ops.set("put" in op ? op.put : "delete" in op ? op.delete : op.get, op);
    }
    if (bytesOf([...ops.values()]) > MOST_BYTES) await this.#writeSources(ops);
    return etcd.txn([...plans.map(({ compare }) => compare), ...guards], [...ops.values()]);
  }

  /** Writes the texts that users wrote, each by itself, and takes them out of what is still to be written. */
  async #writeSources(ops: Map<string, Op>): Promise<void> {
    const sources = this.#keys.sources();
    for (const [key, op] of ops) {
      if (!isIn(sources, key)) continue;
      await this.#etcd.txn([], [op]);
      ops.delete(key);
    }
  }
}

/** Tells the changes of a unit apart, whoever makes them. */
const newVersionID = (): string => randomUUID().slice(0, 18);

function bytesOf(ops: readonly Op[]): number {
  return ops.reduce((sum, op) => sum + ("put" in op ? Buffer.byteLength(op.value) : 0), 0);
}

/** A change that changed nothing is held by the revision that wrote the unit: no later one will ever say so. */
function resultOf({ outcome, ops, compare }: PlannedChange, revision: number): UnitResult {
  const writtenAt = "modRevision" in compare ? compare.modRevision : revision;
  return { outcome, revision: ops.length > 0 ? revision : writtenAt };
}

/** Reads a unit and its file from etcd; null where there is none. */
export async function readUnit(etcd: Etcd, keys: Keys, name: string): Promise<KnownUnit | null> {
  const state = new ClusterState(keys);
  const [unit] = await readKeys(etcd, [keys.unit(name)]);
  if (unit == null) return null;
  state.put(unit);
  const record = state.units.get(name);
  if (record === undefined) {
    throw new RegistryError(
      "unexpected",
      `the record of unit ${name} in etcd is malformed; destroy it or correct ${keys.unit(name)}`,
    );
  }
  const [file] = await readKeys(etcd, [keys.unitFile(record.hash)]);
  return { record, text: file?.value ?? null };
}

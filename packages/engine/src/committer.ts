import type { ClusterState, Compare, Op, UnitRecord } from "@fleet/domain/cluster";
import { type ClusterModel, type Decision, eventOf } from "@fleet/domain/placement";
import { canChange, hasEnded, recordAfter, recordOps, sameEnd, scheduledTo } from "@fleet/domain/whereabouts";
import type { Leadership, Registry } from "@fleet/registry";

/** A decision as a part of a transaction. */
interface Write {
  readonly decision: Decision;
  /** That the unit's record is still the one that was decided on. */
  readonly unit: Compare;
  /** That nothing else was noted of its end on the machine that it leaves; null: it leaves none. */
  readonly end: Compare | null;
  /** Machines that must be there as they were, or be gone, by their IDs: the revision of their creation, 0 for gone. */
  readonly machines: readonly (readonly [id: string, createRevision: number])[];
  readonly ops: readonly Op[];
}

/** Transactions of one plan on their way. */
interface Batch {
  readonly leadership: Leadership;
  readonly mayAct: () => boolean;
  readonly isOrdered: boolean;
  readonly done: { decision: Decision; revision: number }[];
  readonly lost: Decision[];
  isBroken: boolean;
  error: unknown;
}

const MOST_OPS = 120;
const MOST_IN_FLIGHT = 4;

/** What became of a plan. */
export interface Committed {
  readonly done: readonly { readonly decision: Decision; readonly revision: number }[];
  /** Decisions that etcd's present state did not allow any more, or that were not sent. */
  readonly lost: readonly Decision[];
}

/**
 * Writes decisions to etcd: many in one transaction, several transactions at once, each under the leadership that they
 * were made under. What loses a race is tried once more by itself, then given back.
 */
export class Committer {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /**
   * @param isOrdered one transaction after the other, and nothing more after the first decision that etcd did not take
   * @param mayAct asked before each transaction: false ends the work
   * @throws RegistryError where etcd can't be reached; whether a transaction was carried out is then unknown
   */
  async commit(
    decisions: readonly Decision[],
    state: ClusterState,
    model: ClusterModel,
    leadership: Leadership,
    isOrdered: boolean,
    mayAct: () => boolean,
  ): Promise<Committed> {
    const writes = decisions.map((decision) => this.#write(decision, state, model));
    const sendable = writes.filter((write) => write !== null);
    const chunks = inChunks(sendable);
    const done: { decision: Decision; revision: number }[] = [];
    const lost = decisions.filter((_decision, index) => writes[index] === null);
    const batch = { leadership, mayAct, isOrdered, done, lost, isBroken: false, error: null as unknown };
    let next = 0;
    const work = async (): Promise<void> => {
      for (let chunk = chunks[next++]; chunk !== undefined; chunk = chunks[next++]) await this.#send(chunk, batch);
    };
    await Promise.all(Array.from({ length: isOrdered ? 1 : MOST_IN_FLIGHT }, work));
    if (batch.error !== null) throw batch.error;
    return { done, lost };
  }

  /**
   * Sends a transaction; if its conditions fail, its parts one after the other. Nothing more is sent after an error, or
   * after the leadership was lost; where order matters, nothing after the first part that etcd did not take.
   */
  async #send(chunk: readonly Write[], batch: Batch): Promise<void> {
    if (batch.isBroken || !batch.mayAct()) {
      batch.lost.push(...chunk.map(({ decision }) => decision));
      return;
    }
    const { fence } = batch.leadership;
    const { etcd, keys } = this.#registry;
    const compares: Compare[] = [fence];
    const ops: Op[] = [];
    const machines = new Map<string, number>();
    for (const write of chunk) {
      compares.push(write.unit, ...(write.end === null ? [] : [write.end]));
      ops.push(...write.ops);
      for (const [id, createRevision] of write.machines) machines.set(id, createRevision);
    }
    for (const [id, createRevision] of machines) compares.push({ key: keys.machine(id), createRevision });
    try {
      const { succeeded, revision, gets } = await etcd.txn(compares, ops, [{ get: fence.key }]);
      if (succeeded) {
        for (const { decision } of chunk) batch.done.push({ decision, revision });
        return;
      }
      const isDeposed = !("createRevision" in fence) || gets[0]?.createRevision !== fence.createRevision;
      if (chunk.length > 1 && !isDeposed) {
        for (const write of chunk) await this.#send([write], batch);
        return;
      }
      if (isDeposed || batch.isOrdered) batch.isBroken = true;
    } catch (error) {
      batch.isBroken = true;
      batch.error = error;
    }
    batch.lost.push(...chunk.map(({ decision }) => decision));
  }

  #write(decision: Decision, state: ClusterState, model: ClusterModel): Write | null {
    const { name, from, to, reason } = decision;
    const { keys } = this.#registry;
    const known = state.units.get(name);
    const event = eventOf(decision);
    // Somebody has changed it since: it is decided on anew.
    if (known === undefined || scheduledTo(known.whereabouts) !== from || !canChange(known.whereabouts, event))
      return null;
    const requirements = model.units.get(name)?.requirements;
    const isEnded = requirements !== undefined && hasEnded(state, name, known, requirements);
    const record: UnitRecord = { ...recordAfter(known, event, isEnded), cause: reason };
    const machines: [string, number][] = [];
    // Machines and units come by different watches: a unit is taken off a machine that is not known only if etcd does
    // not know it either.
    if (from !== null && model.isGone(from)) machines.push([from, 0]);
    if (to !== null) {
      const machineRevision = model.machineRevision(to);
      if (machineRevision === null) return null;
      machines.push([to, machineRevision]);
    }
    const unit: Compare = { key: keys.unit(name), modRevision: known.modRevision };
    const end = from === null ? null : sameEnd(keys, state, name, known);
    return { decision, unit, end, machines, ops: recordOps(keys, name, known, record) };
  }
}

/** Etcd bounds the conditions of a transaction as it does its operations, each for themselves. */
function inChunks(writes: readonly Write[]): Write[][] {
  const chunks: Write[][] = [];
  let machines = new Set<string>();
  let [ops, compares] = [MOST_OPS, MOST_OPS];
  for (const write of writes) {
    let added = comparesOf(write, machines);
    if (ops + write.ops.length > MOST_OPS || compares + added > MOST_OPS) {
      chunks.push([]);
      machines = new Set();
      [ops, compares] = [0, 1]; // the leadership's
      added = comparesOf(write, machines);
    }
    chunks.at(-1)?.push(write);
    ops += write.ops.length;
    compares += added;
    for (const [id] of write.machines) machines.add(id);
  }
  return chunks;
}

/** How many conditions a write adds to those of a transaction that has some machines' already. */
function comparesOf({ end, machines }: Write, known: ReadonlySet<string>): number {
  return 1 + (end === null ? 0 : 1) + machines.filter(([id]) => !known.has(id)).length;
}

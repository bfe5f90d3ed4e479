import {
  ClusterState,
  decodeEnded,
  type EndedRecord,
  encodeEnded,
  encodeKnownMachine,
  encodeMachine,
  encodeState,
  type Keys,
  type KeyValue,
  type MachineRecord,
  type Op,
  RegistryError,
  type StateRecord,
} from "@fleet/domain/cluster";
import type { Etcd } from "./etcd.ts";
import type { Lease } from "./lease.ts";
import { inTransactions, readKeys } from "./transactions.ts";

/** What an agent says of a unit of its machine; null: it has no such unit any more. */
export interface StateUpdate {
  readonly name: string;
  readonly state: StateRecord | null;
  /** The note that the unit is a oneshot that has ended well here; null: it goes; absent: it stays as it is. */
  readonly ended?: EndedRecord | null;
}

/**
 * A machine's place in the registry, held under a lease by its agent. What an agent writes about its units is fenced
 * with it: an agent that has lost its place to another writes nothing, and neither does a write that arrives after a later
 * one. Where one was not answered, the machine's own entry is written anew before the next: what still hangs is void then.
 */
export class MachineRegistration {
  readonly #etcd: Etcd;
  readonly #keys: Keys;
  readonly #lease: Lease;
  #record: MachineRecord;
  /** The machine's entry as it was written last. */
  #fence: { readonly key: string; readonly modRevision: number };
  readonly #createRevision: number;
  /** Whether a write was not answered: etcd may carry it out at any time. */
  #isInDoubt = false;
  /** Settled when the last write is over. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** The etcd revision at which the machine entered. */
  readonly revision: number;

  private constructor(
    etcd: Etcd,
    keys: Keys,
    lease: Lease,
    record: MachineRecord,
    createRevision: number,
    revision: number,
  ) {
    this.revision = revision;
    this.#fence = { key: keys.machine(record.id), modRevision: revision };
    this.#createRevision = createRevision;
    this.#etcd = etcd;
    this.#keys = keys;
    this.#lease = lease;
    this.#record = record;
  }

  /**
   * Enters a machine, or takes its place over from an earlier run of the same instance.
   *
   * @throws RegistryError `refused` where another instance holds the same machine ID
   */
  static async enter(etcd: Etcd, keys: Keys, lease: Lease, record: MachineRecord): Promise<MachineRegistration> {
    const registration = await MachineRegistration.#enter(etcd, keys, lease, record);
    await registration.#becomeKnown();
    return registration;
  }

  static async #enter(etcd: Etcd, keys: Keys, lease: Lease, record: MachineRecord): Promise<MachineRegistration> {
    const key = keys.machine(record.id);
    const op: Op = { put: key, value: encodeMachine(record), lease: lease.id };
    const first = await etcd.txn([{ key, createRevision: 0 }], [op], [{ get: key }]);
    if (first.succeeded) return new MachineRegistration(etcd, keys, lease, record, first.revision, first.revision);
    const held = first.gets[0];
    if (held == null) throw new RegistryError("unexpected", `etcd showed no value under ${key}`);
    const state = new ClusterState(keys);
    state.put(held);
    const holder = state.machines.get(record.id);
    if (holder === undefined) {
      throw new RegistryError(
        "refused",
        `machine ID ${record.id} is held by an agent whose record can't be read, maybe of a newer version: ` +
          `stop that agent and wait until its agent_ttl has passed, or delete ${key}`,
      );
    }
    if (holder.instanceID !== record.instanceID) {
      throw new RegistryError(
        "refused",
        `machine ID ${record.id} is held by another agent (at ${holder.primaryIP || "an unknown address"}): ` +
          "give each machine an /etc/machine-id of its own, or wait until the other one's agent_ttl has passed",
      );
    }
    const second = await etcd.txn([{ key, modRevision: held.modRevision }], [op]);
    if (!second.succeeded)
      throw new RegistryError("conflict", `machine ${record.id} was entered by two agents at once`);
    return new MachineRegistration(etcd, keys, lease, record, held.createRevision, second.revision);
  }

  /** Publishes the machine anew, after its configuration changed. */
  async update(record: MachineRecord): Promise<void> {
    this.#record = record;
    await this.#inTurn(async () => {
      const modRevision = await this.#write([this.#entryOp()]);
      this.#fence = { ...this.#fence, modRevision };
    });
    await this.#becomeKnown();
  }

  /** Notes that the machine has been here, for the time when it is not. Nothing is written where that stands there. */
  async #becomeKnown(): Promise<void> {
    const { id, primaryIP, hostname } = this.#record;
    const key = this.#keys.knownMachine(id);
    const value = encodeKnownMachine({
      ...{ primaryIP, lostSince: null },
      ...(hostname === undefined ? {} : { hostname }),
    });
    const [found] = await readKeys(this.#etcd, [key]);
    if (found?.value !== value) await this.#inTurn(() => this.#write([{ put: key, value }]));
  }

  /** Publishes states of units, in as few transactions as the server takes. Nothing is written where none are given. */
  async publish(updates: readonly StateUpdate[]): Promise<void> {
    const ops = updates.flatMap(({ name, state, ended }) => {
      const key = this.#keys.state(this.#record.id, name);
      const stateOp: Op =
        state === null ? { delete: key } : { put: key, value: encodeState(state), lease: this.#lease.id };
      return ended === undefined ? [stateOp] : [this.#endedOp(name, ended), stateOp];
    });
    await this.#inTurn(() => this.#write(ops));
  }

  /** Takes back the note that a oneshot has ended: it is about to run again. */
  async takeBackEnded(name: string): Promise<void> {
    await this.#inTurn(() => this.#write([this.#endedOp(name, null)]));
  }

  /** The note is under no lease: it is for the time when the machine is lost. */
  #endedOp(name: string, ended: EndedRecord | null): Op {
    const key = this.#keys.ended(this.#record.id, name);
    return ended === null ? { delete: key } : { put: key, value: encodeEnded(ended) };
  }

  /** Names of the units of which the registry holds a state for this machine. */
  async publishedNames(): Promise<readonly string[]> {
    const prefix = this.#keys.state(this.#record.id, "");
    return (await this.#under(prefix)).map(({ key }) => key.slice(prefix.length));
  }

  /** Hashes of the oneshots that the registry notes as ended on this machine, by unit name; "": one that can't be read. */
  async endedHashes(): Promise<ReadonlyMap<string, string>> {
    const prefix = this.#keys.ended(this.#record.id, "");
    const found = await this.#under(prefix);
    return new Map(found.map(({ key, value }) => [key.slice(prefix.length), decodeEnded(value)?.hash ?? ""]));
  }

  async #under(prefix: string): Promise<readonly KeyValue[]> {
    const found: KeyValue[] = [];
    const range = { start: prefix, end: `${prefix.slice(0, -1)}0` };
    let after: string | undefined;
    for (;;) {
      const page = await this.#etcd.range(range, { limit: 1000, ...(after === undefined ? {} : { after }) });
      found.push(...page.keyValues);
      after = page.keyValues.at(-1)?.key;
      if (!page.more || after === undefined) return found;
    }
  }

  /** Takes the machine and everything under its lease out of the registry. */
  async leave(): Promise<void> {
    await this.#lease.revoke();
  }

  #entryOp(): Op {
    return { put: this.#fence.key, value: encodeMachine(this.#record), lease: this.#lease.id };
  }

  /** One write at a time: each may change what the next one compares. */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const turn = this.#lastWrite.then(write);
    this.#lastWrite = turn.catch(() => undefined);
    return turn;
  }

  /** Writes under the fence; returns etcd's revision after it. */
  async #write(ops: readonly Op[]): Promise<number> {
    if (this.#isInDoubt) await this.#renewFence();
    const { succeeded, revision } = await this.#ask(() => inTransactions(this.#etcd, ops, [this.#fence]));
    if (!succeeded) throw this.#lost();
    return revision;
  }

  /** Writes the machine's entry anew, so that no write that compares the last one can be carried out any more. */
  async #renewFence(): Promise<void> {
    const { key } = this.#fence;
    const [found] = await readKeys(this.#etcd, [key]);
    if (found?.createRevision !== this.#createRevision) throw this.#lost();
    const fence = { key, modRevision: found.modRevision };
    const { succeeded, revision } = await this.#etcd.txn([fence], [this.#entryOp()]);
    if (!succeeded) throw new RegistryError("conflict", `machine ${this.#record.id} is written by two agents at once`);
    this.#fence = { key, modRevision: revision };
    this.#isInDoubt = false;
  }

  /** Sends writes; whatever comes in place of an answer leaves it open whether they are carried out. */
  async #ask<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      this.#isInDoubt = true;
      throw error;
    }
  }

  #lost(): RegistryError {
    return new RegistryError(
      "lease-lost",
      `machine ${this.#record.id} is no longer entered in the registry by this agent`,
    );
  }
}

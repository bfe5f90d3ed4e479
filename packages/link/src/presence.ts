import { encodeLinkApi, encodeLinkCall, type LinkApiRecord, type LinkCallRecord } from "@fleet/domain/cluster";
import { Lease, type Registry } from "@fleet/registry";
import { GroupedPuts } from "./grouped-puts.ts";
import type { BaseLog } from "./log.ts";

/** How long an API stays in etcd without a question. */
const IDLE_MS = 60_000;
/** How long it stays there when it has died. */
const PRESENCE_TTL_MS = 30_000;
/** How long a call that no agent takes stays in etcd. */
const CALL_TTL_MS = 15_000;
/** For how long one lease is given to new calls. */
const SHARED_MS = 5_000;

/** An API's own key in etcd, or on its way there. */
interface Entry {
  readonly over: AbortController;
  /** Fulfilled when its write is asked for: one that is asked for later is not carried out before it. */
  readonly queued: Promise<void>;
  /** Fulfilled when the key is there. */
  readonly entered: Promise<Lease>;
  /** Null: it is on its way. */
  lease: Lease | null;
}

/**
 * An API's keys in etcd: itself, for as long as it has asked something within a minute, and the calls that it asks for.
 * While nothing is asked there is nothing of it in etcd, and nothing is written.
 */
export class ApiPresence {
  readonly #registry: Registry;
  readonly #record: LinkApiRecord;
  readonly #log: BaseLog;
  readonly #puts: GroupedPuts;
  #entry: Entry | null = null;
  /** Fulfilled when the entry before is out of etcd. */
  #left: Promise<void> = Promise.resolve();
  #idle: NodeJS.Timeout | null = null;
  #calls: { readonly id: Promise<string>; readonly until: number } | null = null;

  constructor(registry: Registry, record: LinkApiRecord, log: BaseLog) {
    this.#registry = registry;
    this.#record = record;
    this.#log = log;
    this.#puts = new GroupedPuts(registry.etcd);
  }

  /**
   * Asks a machine to call.
   *
   * @throws RegistryError where etcd can't be written to
   */
  async call(machineID: string, call: LinkCallRecord): Promise<void> {
    const entry = this.#publish();
    const [lease] = await Promise.all([this.#callLease(), entry.queued]);
    const key = this.#registry.keys.of("link-call", machineID, call.id);
    await Promise.all([this.#puts.put({ put: key, value: encodeLinkCall(call), lease }), entry.entered]);
  }

  /** Takes back a call that nobody has taken. What can't be taken back ends with its lease. */
  async takeBack(machineID: string, id: string): Promise<void> {
    const { etcd, keys } = this.#registry;
    await etcd
      .txn([], [{ delete: keys.of("link-call", machineID, id) }])
      .catch((error: Error) => this.#log.debug(`a call could not be taken back: ${error.message}`));
  }

  /** Takes the API out of etcd. */
  async close(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    const entry = this.#entry;
    if (entry === null) return this.#left;
    this.#entry = null;
    entry.over.abort();
    this.#left = this.#leave(entry);
    return this.#left;
  }

  async #leave({ entered }: Entry): Promise<void> {
    const lease = await entered.catch(() => null);
    await lease?.revoke().catch((error: Error) => this.#log.debug(`apis/ ends with its lease: ${error.message}`));
  }

  /** Sees to it that the API is in etcd. Questions of the same time share one entry: each lease takes the key over. */
  #publish(): Entry {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    if (this.#entry?.lease?.isAlive === false) {
      this.#entry.over.abort();
      this.#entry = null;
    }
    this.#entry ??= this.#enter();
    return this.#entry;
  }

  #enter(): Entry {
    const over = new AbortController();
    const { promise: queued, resolve, reject } = Promise.withResolvers<void>();
    const entry: Entry = { over, queued, entered: this.#write(over.signal, resolve), lease: null };
    queued.catch(() => undefined);
    entry.entered.then(
      (lease) => {
        entry.lease = lease;
      },
      (error: unknown) => {
        reject(error);
        if (this.#entry === entry) this.#entry = null;
      },
    );
    return entry;
  }

  async #write(signal: AbortSignal, onQueued: () => void): Promise<Lease> {
    const { etcd, keys } = this.#registry;
    // An end of the lease before that arrives later than this write would take the key along.
    await this.#left;
    const lease = await Lease.grant({
      etcd,
      ttlMs: PRESENCE_TTL_MS,
      onTrouble: (error) => this.#log.debug(`the lease of this API's end of the link: ${error.message}`),
    });
    const key = keys.of("link-api", this.#record.id);
    const written = this.#puts.put({ put: key, value: encodeLinkApi(this.#record), lease: lease.id });
    onQueued();
    await written;
    void lease.keepAlive(signal).catch((error: Error) => this.#log.warn(`the link's lease: ${error.message}`));
    return lease;
  }

  /** Calls of the same seconds share a lease, which nobody keeps alive. */
  #callLease(): Promise<string> {
    const now = performance.now();
    if (this.#calls === null || now > this.#calls.until) {
      const id = this.#registry.etcd.grantLease(CALL_TTL_MS / 1000);
      this.#calls = { id, until: now + SHARED_MS };
      id.catch(() => {
        this.#calls = null;
      });
    }
    return this.#calls.id;
  }
}

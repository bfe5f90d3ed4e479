import { type Compare, type KeyRange, type KeyValue, type Op, RegistryError } from "@fleet/domain/cluster";
import type { RangeOptions, RangePage, TxnResult, WatchEvent } from "@fleet/registry";

/** What one transaction, or the end of a lease, has changed, in the order of its operations. */
export interface Commit {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

/** A key as of one revision; `keyValue` is null where that revision deleted it. */
interface Version {
  readonly revision: number;
  readonly keyValue: KeyValue | null;
}

/** What a store held at a time. */
export interface FakeSnapshot {
  readonly revision: number;
  readonly keyValues: readonly KeyValue[];
}

interface HeldLease {
  readonly ttlSeconds: number;
  readonly keys: Set<string>;
  endsAt: number;
}

/** etcd's defaults. */
const MOST_OPS = 128;
const MOST_BYTES = 1.5 * 1024 * 1024;
const LEAST_TTL_SECONDS = 2;

/**
 * What etcd holds and how it changes, in memory: revisions with their history, leases, compaction. One store may have
 * many clients (FakeEtcd). Leases end by timers and `performance.now()`, which a test may fake, or by hand.
 */
export class FakeEtcdStore {
  clusterID = "1";
  /** Versions of each key, oldest first. */
  readonly #history = new Map<string, Version[]>();
  readonly #leases = new Map<string, HeldLease>();
  /** Under which lease a key is. */
  readonly #leaseOf = new Map<string, string>();
  readonly #listeners = new Set<(commit: Commit) => void>();
  #log: Commit[] = [];
  /** All keys in order; null: there are new ones. */
  #ordered: readonly string[] | null = [];
  #revision = 1;
  #compacted = 0;
  #nextLease = 7_587_870_000_000_000_001n;
  #skippedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** The latest revision. */
  get revision(): number {
    return this.#revision;
  }

  /** Hears of each commit while it is made. Returns a function that takes the listener away. */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Commits from a revision on, oldest first.
   *
   * @throws RegistryError `compacted` where some of them are gone
   */
  commitsFrom(revision: number): readonly Commit[] {
    if (revision < this.#compacted) throw compacted();
    return this.#log.filter((commit) => commit.revision >= revision);
  }

  /** A key's value right now; null: there is no such key. */
  value(key: string): string | null {
    return this.#latest(key)?.value ?? null;
  }

  range(range: KeyRange, options: RangeOptions = {}): RangePage {
    const { after, limit = 0, revision = this.#revision, keysOnly = false } = options;
    if (revision > this.#revision) throw refusal("unexpected", "has no such revision yet");
    if (revision < this.#compacted) throw compacted();
    const most = limit > 0 ? limit : Number.POSITIVE_INFINITY;
    const keyValues: KeyValue[] = [];
    let count = 0;
    for (const key of this.#keysInOrder()) {
      if (key < range.start || key >= range.end || (after !== undefined && key <= after)) continue;
      const keyValue = this.#history.get(key)?.findLast((version) => version.revision <= revision)?.keyValue;
      if (keyValue == null || ++count > most) continue;
      keyValues.push(keysOnly ? { ...keyValue, value: "" } : keyValue);
    }
    return { keyValues, count, more: count > keyValues.length, revision };
  }

  /** What is there now, to come back to with `restore`. */
  snapshot(): FakeSnapshot {
    const keyValues = [...this.#history.values()].flatMap((versions) => versions.at(-1)?.keyValue ?? []);
    return { revision: this.#revision, keyValues };
  }

  /**
   * Brings back what a snapshot has, as etcd does whose data were restored: what came later is gone, leases too.
   *
   * @param revision the revision to be at, later than the snapshot's for a restore with a bump; what was before is
   * compacted then
   * @param clusterID another one, where the members are new
   */
  restore(
    snapshot: FakeSnapshot,
    { revision = snapshot.revision, clusterID = this.clusterID }: { revision?: number; clusterID?: string } = {},
  ): void {
    this.clusterID = clusterID;
    this.#history.clear();
    this.#ordered = null;
    this.#log = [];
    this.#leaseOf.clear();
    this.#leases.clear();
    for (const keyValue of snapshot.keyValues)
      this.#history.set(keyValue.key, [{ revision: keyValue.modRevision, keyValue }]);
    this.#revision = revision;
    this.#compacted = revision > snapshot.revision ? revision : 0;
  }

  txn(compares: readonly Compare[], ops: readonly Op[], otherwise: readonly Op[] = []): TxnResult {
    check(compares, ops, otherwise);
    const succeeded = compares.every((compare) => this.#holds(compare));
    const asked = succeeded ? ops : otherwise;
    for (const op of asked) {
      if ("put" in op && op.lease !== undefined && !this.#leases.has(op.lease))
        throw refusal("lease-lost", `no longer has lease ${op.lease}`);
    }
    const revision = this.#revision + 1;
    const events: WatchEvent[] = [];
    const gets: (KeyValue | null)[] = [];
    for (const op of asked) {
      if ("get" in op) gets.push(this.#latest(op.get));
      else if ("put" in op) events.push(this.#put(op, revision));
      else events.push(...this.#delete(op.delete, revision));
    }
    this.#commit(revision, events);
    return { succeeded, revision: this.#revision, gets };
  }

  /** Forgets what was before a revision. */
  compact(revision: number): void {
    if (revision > this.#revision) throw refusal("unexpected", "has no such revision yet");
    if (revision <= this.#compacted) throw compacted();
    this.#compacted = revision;
    this.#log = this.#log.filter((commit) => commit.revision >= revision);
    for (const [key, versions] of this.#history) {
      const first = versions.findLastIndex((version) => version.revision <= revision);
      const kept = versions
        .slice(Math.max(0, first))
        .filter((version, index) => index > 0 || version.keyValue !== null);
      if (kept.length > 0) this.#history.set(key, kept);
      else this.#history.delete(key);
    }
    this.#ordered = null;
  }

  grantLease(ttlSeconds: number): string {
    const id = String(this.#nextLease++);
    const ttl = Math.max(LEAST_TTL_SECONDS, ttlSeconds);
    this.#leases.set(id, { ttlSeconds: ttl, keys: new Set(), endsAt: this.#now() + ttl * 1000 });
    this.#wait();
    return id;
  }

  keepLeaseAlive(id: string): number {
    const lease = this.#leases.get(id);
    if (lease === undefined) return 0;
    lease.endsAt = this.#now() + lease.ttlSeconds * 1000;
    this.#wait();
    return lease.ttlSeconds;
  }

  /** Ends a lease, by its owner or because its time is over, and deletes its keys in one revision. */
  endLease(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.#leases.delete(id);
    const revision = this.#revision + 1;
    this.#commit(
      revision,
      [...lease.keys].sort().flatMap((key) => this.#delete(key, revision)),
    );
    this.#wait();
  }

  /** Lets time pass for leases alone. */
  advance(milliseconds: number): void {
    this.#skippedMs += milliseconds;
    this.#endOldLeases();
  }

  /** Leaves no timer behind. */
  close(): void {
    clearTimeout(this.#timer);
    this.#leases.clear();
  }

  #now(): number {
    return performance.now() + this.#skippedMs;
  }

  #endOldLeases(): void {
    for (const [id, lease] of [...this.#leases]) if (lease.endsAt <= this.#now()) this.endLease(id);
    this.#wait();
  }

  /** Waits for the next lease to end. */
  #wait(): void {
    clearTimeout(this.#timer);
    const next = Math.min(...[...this.#leases.values()].map(({ endsAt }) => endsAt));
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#endOldLeases(), Math.max(0, Math.ceil(next - this.#now())));
    this.#timer.unref();
  }

  #keysInOrder(): readonly string[] {
    this.#ordered ??= [...this.#history.keys()].sort();
    return this.#ordered;
  }

  #latest(key: string): KeyValue | null {
    return this.#history.get(key)?.at(-1)?.keyValue ?? null;
  }

  #holds(compare: Compare): boolean {
    const found = this.#latest(compare.key);
    return "modRevision" in compare
      ? (found?.modRevision ?? 0) === compare.modRevision
      : (found?.createRevision ?? 0) === compare.createRevision;
  }

  #put({ put: key, value, lease }: Extract<Op, { put: string }>, revision: number): WatchEvent {
    const before = this.#latest(key);
    const keyValue = { key, value, createRevision: before?.createRevision ?? revision, modRevision: revision };
    this.#bind(key, lease);
    this.#note(key, { revision, keyValue });
    return { kind: "put", keyValue };
  }

  #delete(key: string, revision: number): readonly WatchEvent[] {
    if (this.#latest(key) === null) return [];
    this.#bind(key, undefined);
    this.#note(key, { revision, keyValue: null });
    return [{ kind: "delete", key, revision }];
  }

  #bind(key: string, lease: string | undefined): void {
    const before = this.#leaseOf.get(key);
    if (before !== undefined) this.#leases.get(before)?.keys.delete(key);
    this.#leaseOf.delete(key);
    if (lease === undefined) return;
    this.#leaseOf.set(key, lease);
    this.#leases.get(lease)?.keys.add(key);
  }

  #note(key: string, version: Version): void {
    const versions = this.#history.get(key);
    if (versions !== undefined) {
      versions.push(version);
      return;
    }
    this.#history.set(key, [version]);
    this.#ordered = null;
  }

  #commit(revision: number, events: readonly WatchEvent[]): void {
    if (events.length === 0) return;
    this.#revision = revision;
    const commit = { revision, events };
    this.#log.push(commit);
    for (const listener of [...this.#listeners]) listener(commit);
  }
}

/** An error as Etcd3Client throws it. */
export function refusal(code: ConstructorParameters<typeof RegistryError>[0], what: string): RegistryError {
  return new RegistryError(code, `the fake etcd ${what}`);
}

function compacted(): RegistryError {
  return refusal("compacted", "has compacted the revision that was asked for");
}

function check(compares: readonly Compare[], ...branches: readonly (readonly Op[])[]): void {
  if (Math.max(compares.length, ...branches.map((ops) => ops.length)) > MOST_OPS)
    throw refusal("unexpected", "answered: too many operations in txn request");
  for (const ops of branches) checkKeys(ops);
  if (branches.flat().reduce((sum, op) => sum + bytesOf(op), 0) > MOST_BYTES)
    throw refusal("unexpected", "answered: request is too large");
}

/** One transaction puts a key once, and does not both put and delete it. */
function checkKeys(ops: readonly Op[]): void {
  const put = new Set<string>();
  for (const op of ops) {
    const key = keyOf(op);
    if (key === "") throw refusal("unexpected", "answered: key is not provided");
    if (!("put" in op)) continue;
    if (put.has(key)) throw duplicate(key);
    put.add(key);
  }
  for (const op of ops) if ("delete" in op && put.has(op.delete)) throw duplicate(op.delete);
}

function keyOf(op: Op): string {
  if ("put" in op) return op.put;
  return "delete" in op ? op.delete : op.get;
}

function bytesOf(op: Op): number {
  return Buffer.byteLength(keyOf(op)) + ("put" in op ? Buffer.byteLength(op.value) : 0);
}

function duplicate(key: string): RegistryError {
  return refusal("unexpected", `answered: duplicate key given in txn request: ${key}`);
}

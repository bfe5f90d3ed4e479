import { type KeyRange, Keys, RegistryError } from "@fleet/domain/cluster";
import type { Etcd, WatchBatch, WatchEvent } from "@fleet/registry";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

/** An etcd that the contract is tried on. */
export interface EtcdUnderContract {
  /** A new client of it. */
  connect(): Etcd;
  compact(revision: number): Promise<void>;
  /** Has so much time pass for leases. */
  letPass(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

interface Watch {
  readonly batches: WatchBatch[];
  readonly stop: () => void;
  /** Fulfilled with null where it was stopped, else with why it broke. */
  readonly over: Promise<unknown>;
}

let count = 0;

/** What every Etcd does: one suite, for the real one and for the fake. */
export function etcdContract(name: string, make: () => Promise<EtcdUnderContract>): void {
  describe(name, () => {
    const on = new OnEtcd();
    beforeAll(async () => {
      on.server = await make();
    });
    afterAll(() => on.server.stop());
    beforeEach(() => on.begin());
    afterEach(() => on.end());
    rangeRules(on);
    transactionRules(on);
    transactionLimits(on);
    leaseRules(on);
    watchRules(on);
    watchEnds(on);
    closingRules(on);
  });
}

/** What the tests of one etcd share: a client and a part of the keys, new for each test. */
class OnEtcd {
  readonly #clients: Etcd[] = [];
  readonly #watches: Watch[] = [];
  #server: EtcdUnderContract | null = null;
  #keys = new Keys("/");
  #etcd: Etcd | null = null;

  get server(): EtcdUnderContract {
    return this.#server ?? expect.unreachable();
  }
  set server(server: EtcdUnderContract) {
    this.#server = server;
  }
  get etcd(): Etcd {
    return this.#etcd ?? expect.unreachable();
  }
  /** The range of the test's keys. */
  get all(): KeyRange {
    return { start: this.key(""), end: this.key("\u{10ffff}") };
  }

  begin(): void {
    this.#keys = new Keys(`/contract-${process.pid}-${count++}/`);
    this.#etcd = this.connect();
  }

  async end(): Promise<void> {
    for (const { stop, over } of this.#watches.splice(0)) {
      stop();
      await over;
    }
    for (const client of this.#clients.splice(0)) client.close();
  }

  connect(): Etcd {
    const client = this.server.connect();
    this.#clients.push(client);
    return client;
  }

  key(name: string): string {
    return this.#keys.unit(name);
  }

  async put(...names: readonly string[]): Promise<number> {
    const ops = names.map((name) => ({ put: this.key(name), value: `value of ${name}` }));
    return (await this.etcd.txn([], ops)).revision;
  }

  async remove(name: string): Promise<number> {
    return (await this.etcd.txn([], [{ delete: this.key(name) }])).revision;
  }

  /** The names of the test's keys. */
  async found(options?: Parameters<Etcd["range"]>[1]): Promise<readonly string[]> {
    const { keyValues } = await this.etcd.range(this.all, options);
    return keyValues.map(({ key }) => key.slice(this.key("").length));
  }

  /** Watches, once etcd has taken that on or has refused it. */
  async watch(...ranges: readonly (KeyRange & { readonly from: number })[]): Promise<Watch> {
    const batches: WatchBatch[] = [];
    const stopping = new AbortController();
    const { promise: open, resolve } = Promise.withResolvers<void>();
    const asked = ranges.map(({ start, end, from }) => ({ range: { start, end }, from }));
    const over = this.etcd
      .watch(asked, stopping.signal, (batch) => batches.push(batch), resolve)
      .then(
        () => null,
        (error: unknown) => error,
      );
    const started = { batches, stop: () => stopping.abort(), over };
    this.#watches.push(started);
    await Promise.race([open, over]);
    return started;
  }
}

/** How keys are read. */
function rangeRules(on: OnEtcd): void {
  describe("a range", () => {
    it("lists keys in order with their revisions, its start included and its end not", async () => {
      const first = await on.put("b", "a");
      const second = await on.put("c", "b");
      const page = await on.etcd.range({ start: on.key("a"), end: on.key("c") });
      expect(page).toEqual({
        count: 2,
        keyValues: [
          { key: on.key("a"), value: "value of a", createRevision: first, modRevision: first },
          { key: on.key("b"), value: "value of b", createRevision: first, modRevision: second },
        ],
        more: false,
        revision: second,
      });
      expect(await on.etcd.range({ start: on.key("x"), end: on.key("y") })).toMatchObject({
        keyValues: [],
        more: false,
      });
    });
    it("comes in pages, each behind a key", async () => {
      await on.put("a", "b", "c", "d", "e");
      expect(await on.etcd.range(on.all, { limit: 2 })).toMatchObject({ more: true });
      expect(await on.found({ limit: 2 })).toEqual(["a", "b"]);
      expect(await on.found({ limit: 2, after: on.key("b") })).toEqual(["c", "d"]);
      expect(await on.etcd.range(on.all, { limit: 2, after: on.key("d") })).toMatchObject({ more: false });
      expect(await on.found({ limit: 5 })).toEqual(["a", "b", "c", "d", "e"]);
      expect(await on.etcd.range(on.all, { limit: 5 })).toMatchObject({ more: false });
    });
    it("may leave values out, and counts what is beyond the page", async () => {
      await on.put("a", "b", "c");
      const { keyValues, count } = await on.etcd.range(on.all, { limit: 2, keysOnly: true });
      expect([keyValues.map(({ value }) => value), count]).toEqual([["", ""], 3]);
      expect((await on.etcd.range(on.all, { limit: 1, after: on.key("a"), keysOnly: true })).count).toBe(2);
    });
    it("shows how far etcd's history is, the same cluster to every client", async () => {
      const revision = await on.put("a");
      expect(on.etcd.history.position?.revision).toBe(revision);
      const other = on.connect();
      expect(other.history.position).toBeNull();
      await other.range(on.all);
      expect(other.history.position).toEqual(on.etcd.history.position);
    });
    it("shows what was at a revision, until that is compacted away", async () => {
      const old = await on.put("a", "b");
      await on.put("c", "b");
      const last = await on.remove("a");
      expect(await on.found({ revision: old })).toEqual(["a", "b"]);
      expect((await on.etcd.range(on.all, { revision: old })).revision).toBe(old);
      expect(await on.found()).toEqual(["b", "c"]);
      await on.server.compact(last);
      expect(await codeOf(on.etcd.range(on.all, { revision: old }))).toBe("compacted");
      expect(await on.found({ revision: last })).toEqual(["b", "c"]);
    });
    it("at a revision that is still to come is an error", async () => {
      const now = await on.put("a");
      expect(await codeOf(on.etcd.range(on.all, { revision: now + 1_000 }))).toBe("unexpected");
    });
  });
}

/** What a transaction does. */
function transactionRules(on: OnEtcd): void {
  describe("a transaction", () => {
    it("is carried out where all its conditions hold, and is one revision", async () => {
      const created = await on.put("a");
      const written = await on.put("a");
      const conditions = [
        { key: on.key("a"), createRevision: created },
        { key: on.key("a"), modRevision: written },
        { key: on.key("b"), modRevision: 0 },
        { key: on.key("b"), createRevision: 0 },
      ];
      const ops = [{ put: on.key("b"), value: "1" }, { delete: on.key("a") }, { put: on.key("c"), value: "2" }];
      expect(await on.etcd.txn(conditions, ops)).toEqual({ succeeded: true, revision: written + 1, gets: [] });
      expect((await on.etcd.range(on.all)).keyValues).toMatchObject([
        { key: on.key("b"), modRevision: written + 1 },
        { key: on.key("c"), modRevision: written + 1 },
      ]);
    });
    it.each([
      ["the key was written since", (at: number) => ({ modRevision: at })],
      ["the key is there already", () => ({ createRevision: 0 })],
      ["the key was created at another time", (at: number) => ({ createRevision: at - 1 })],
    ])("does what it should otherwise where %s", async (_what, condition) => {
      const before = await on.put("a");
      const now = await on.put("a");
      const result = await on.etcd.txn(
        [{ key: on.key("a"), ...condition(before) } as Parameters<Etcd["txn"]>[0][number]],
        [{ put: on.key("b"), value: "never" }],
        [{ get: on.key("a") }, { get: on.key("b") }],
      );
      expect(result).toMatchObject({ succeeded: false, revision: now });
      expect(result.gets).toEqual([
        { key: on.key("a"), value: "value of a", createRevision: before, modRevision: now },
        null,
      ]);
      expect(
        await on.etcd.txn([{ key: on.key("a"), modRevision: 0 }], [{ put: on.key("b"), value: "never" }]),
      ).toMatchObject({
        succeeded: false,
        gets: [],
      });
    });
    it("reads what it has written itself", async () => {
      const { gets, revision } = await on.etcd.txn(
        [],
        [{ get: on.key("a") }, { put: on.key("a"), value: "new" }, { get: on.key("a") }],
      );
      expect(gets).toEqual([null, { key: on.key("a"), value: "new", createRevision: revision, modRevision: revision }]);
    });
  });
}

/** What a transaction leaves alone, and what it may not be. */
function transactionLimits(on: OnEtcd): void {
  describe("a transaction", () => {
    it("that changes nothing has no revision of its own", async () => {
      const now = await on.put("a");
      expect(await on.etcd.txn([{ key: on.key("a"), modRevision: now }], [])).toMatchObject({
        succeeded: true,
        revision: now,
        gets: [],
      });
      expect(await on.etcd.txn([], [{ delete: on.key("none") }])).toMatchObject({ succeeded: true, revision: now });
      expect(await on.etcd.txn([], [{ get: on.key("a") }])).toMatchObject({ revision: now });
      expect(await on.put("a")).toBe(now + 1);
    });
    it("begins a key's life anew after it was deleted", async () => {
      await on.put("a");
      await on.remove("a");
      const again = await on.put("a");
      expect((await on.etcd.range(on.all)).keyValues).toMatchObject([{ createRevision: again, modRevision: again }]);
    });
    it("may not put a key twice, nor put and delete it, in neither of its branches", async () => {
      const twice = [
        { put: on.key("a"), value: "1" },
        { put: on.key("a"), value: "2" },
      ];
      const both = [{ put: on.key("a"), value: "1" }, { delete: on.key("a") }];
      for (const ops of [twice, both, both.toReversed()]) {
        expect(await codeOf(on.etcd.txn([], ops))).toBe("unexpected");
        expect(await codeOf(on.etcd.txn([{ key: on.key("x"), modRevision: 0 }], [], ops))).toBe("unexpected");
      }
      expect(await on.found()).toEqual([]);
      expect(await codeOf(on.etcd.txn([], [{ delete: on.key("a") }, { delete: on.key("a") }]))).toBe("no error");
    });
    it("takes 128 operations and no more, 1.5 MiB and no more, and no empty key", async () => {
      const many = Array.from({ length: 129 }, (_, index) => ({ put: on.key(`k${index}`), value: "" }));
      expect(await codeOf(on.etcd.txn([], many.slice(1)))).toBe("no error");
      expect(await codeOf(on.etcd.txn([], many))).toBe("unexpected");
      expect(await codeOf(on.etcd.txn([], [{ put: on.key("a"), value: "x".repeat(1_400_000) }]))).toBe("no error");
      expect(await codeOf(on.etcd.txn([], [{ put: on.key("a"), value: "x".repeat(1_600_000) }]))).toBe("unexpected");
      expect(await codeOf(on.etcd.txn([], [{ put: "", value: "x" }]))).toBe("unexpected");
    });
    it("keeps texts beyond ASCII as they are", async () => {
      await on.etcd.txn([], [{ put: on.key("ü-€-𝄞"), value: "\u0000 é 日本 🚀" }]);
      expect((await on.etcd.range(on.all)).keyValues).toMatchObject([
        { key: on.key("ü-€-𝄞"), value: "\u0000 é 日本 🚀" },
      ]);
    });
  });
}

/** How long leases and their keys last. */
function leaseRules(on: OnEtcd): void {
  describe("a lease", () => {
    const under = (lease: string, ...names: readonly string[]) =>
      on.etcd.txn(
        [],
        names.map((each) => ({ put: on.key(each), value: "v", lease })),
      );
    it("has an ID of its own, and its whole time again with each keep-alive", async () => {
      const lease = await on.etcd.grantLease(60);
      expect(await on.etcd.grantLease(60)).not.toBe(lease);
      expect(await on.etcd.keepLeaseAlive(lease)).toBe(60);
    });
    it("takes its keys with it, in one revision, but not those that were written anew without it", async () => {
      const lease = await on.etcd.grantLease(60);
      const other = await on.etcd.grantLease(60);
      const { revision } = await under(lease, "a", "b", "c", "d");
      const watched = await on.watch({ ...on.all, from: revision + 1 });
      await on.put("b");
      const last = await under(other, "c");
      await on.etcd.revokeLease(lease);
      expect(await on.found()).toEqual(["b", "c"]);
      await expect.poll(() => watched.batches.at(-1)?.revision).toBe(last.revision + 1);
      expect(watched.batches.at(-1)?.events).toEqual([
        { kind: "delete", key: on.key("a"), revision: last.revision + 1 },
        { kind: "delete", key: on.key("d"), revision: last.revision + 1 },
      ]);
    });
    it("that is gone is said to be gone, may be ended again, and binds nothing", async () => {
      const lease = await on.etcd.grantLease(60);
      await on.etcd.revokeLease(lease);
      await on.etcd.revokeLease(lease);
      expect(await on.etcd.keepLeaseAlive(lease)).toBe(0);
      const write = on.etcd.txn(
        [],
        [
          { put: on.key("a"), value: "v" },
          { put: on.key("b"), value: "v", lease },
        ],
      );
      expect(await codeOf(write)).toBe("lease-lost");
      expect(await on.found()).toEqual([]);
    });
    it("ends with its keys when nobody keeps it alive, and not before", async () => {
      const kept = await on.etcd.grantLease(3);
      const left = await on.etcd.grantLease(3);
      const { revision } = await under(kept, "kept");
      await under(left, "left", "also left");
      const watched = await on.watch({ ...on.all, from: revision + 2 });
      await on.server.letPass(1_000);
      expect(await on.found()).toEqual(["also left", "kept", "left"]);
      for (let times = 0; watched.batches.length === 0 && times < 20; times++) {
        expect(await on.etcd.keepLeaseAlive(kept)).toBe(3);
        await on.server.letPass(500);
      }
      expect(watched.batches).toMatchObject([{ events: [{ key: on.key("also left") }, { key: on.key("left") }] }]);
      expect(await on.found()).toEqual(["kept"]);
      expect(await on.etcd.keepLeaseAlive(left)).toBe(0);
    });
    it("is at least two seconds long", async () => {
      expect(await on.etcd.keepLeaseAlive(await on.etcd.grantLease(1))).toBe(2);
    });
  });
}

/** What a watch tells. */
function watchRules(on: OnEtcd): void {
  describe("a watch", () => {
    it("tells what was and what comes, from its revision on, one transaction's changes together", async () => {
      await on.put("before");
      const first = await on.put("a");
      const second = await on.put("b", "c");
      const watched = await on.watch({ ...on.all, from: first });
      const third = (await on.etcd.txn([], [{ put: on.key("d"), value: "v" }, { delete: on.key("a") }])).revision;
      await expect.poll(() => watched.batches.at(-1)?.revision).toBe(third);
      expect(watched.batches.flatMap(({ events }) => events.map(told))).toEqual([
        `put ${on.key("a")} ${first}`,
        `put ${on.key("b")} ${second}`,
        `put ${on.key("c")} ${second}`,
        `put ${on.key("d")} ${third}`,
        `delete ${on.key("a")} ${third}`,
      ]);
      for (const revision of [second, third])
        expect(
          watched.batches.filter(({ events }) => events.some((each) => revisionOf(each) === revision)),
        ).toHaveLength(1);
    });
    it("tells the whole of a key that was written", async () => {
      const first = await on.put("a");
      const watched = await on.watch({ ...on.all, from: first + 1 });
      const second = await on.put("a");
      await expect
        .poll(() => watched.batches)
        .toEqual([
          {
            range: 0,
            revision: second,
            events: [
              {
                kind: "put",
                keyValue: { key: on.key("a"), value: "value of a", createRevision: first, modRevision: second },
              },
            ],
          },
        ]);
    });
    it("of several ranges says which, each from its own revision on", async () => {
      const first = await on.put("a1", "b1");
      const second = await on.put("a2", "b2");
      const watched = await on.watch(
        { start: on.key("a"), end: on.key("b"), from: first },
        { start: on.key("b"), end: on.key("c"), from: second },
      );
      const third = await on.put("a3", "b3", "x");
      const of = (range: number): readonly string[] =>
        watched.batches.filter((batch) => batch.range === range).flatMap(({ events }) => events.map(told));
      await expect
        .poll(() => [of(0), of(1)])
        .toEqual([
          [`put ${on.key("a1")} ${first}`, `put ${on.key("a2")} ${second}`, `put ${on.key("a3")} ${third}`],
          [`put ${on.key("b2")} ${second}`, `put ${on.key("b3")} ${third}`],
        ]);
    });
    it("from a revision to come tells nothing before it", async () => {
      const now = await on.put("a");
      const watched = await on.watch({ ...on.all, from: now + 3 });
      await on.put("b");
      await on.put("c");
      const last = await on.put("d");
      await expect
        .poll(() => watched.batches.flatMap(({ events }) => events.map(told)))
        .toEqual([`put ${on.key("d")} ${last}`]);
    });
  });
}

/** How a watch begins and ends. */
function watchEnds(on: OnEtcd): void {
  describe("a watch", () => {
    it("from a revision that is compacted away breaks and says so; one from the revision that was kept works", async () => {
      const first = await on.put("a");
      await on.put("b");
      const last = await on.put("c");
      await on.server.compact(last);
      const broken = await on.watch({ ...on.all, from: first });
      expect(codeOfError(await broken.over)).toBe("compacted");
      expect(broken.batches).toEqual([]);
      const works = await on.watch({ ...on.all, from: last });
      await expect
        .poll(() => works.batches.flatMap(({ events }) => events.map(told)))
        .toEqual([`put ${on.key("c")} ${last}`]);
    });
    it("that is up to date goes on after a compaction", async () => {
      const first = await on.put("a");
      const watched = await on.watch({ ...on.all, from: first });
      await expect.poll(() => watched.batches.length).toBe(1);
      await on.server.compact(await on.put("b"));
      const last = await on.put("c");
      await expect.poll(() => watched.batches.at(-1)?.revision).toBe(last);
      expect(watched.batches.flatMap(({ events }) => events)).toHaveLength(3);
    });
    it("sees what another client writes, and nothing that fails", async () => {
      const now = await on.put("a");
      const watched = await on.watch({ ...on.all, from: now + 1 });
      await on.etcd.txn([{ key: on.key("a"), modRevision: 0 }], [{ put: on.key("never"), value: "v" }]);
      await on.connect().txn([], [{ put: on.key("b"), value: "v" }]);
      await expect
        .poll(() => watched.batches.flatMap(({ events }) => events.map(told)))
        .toEqual([`put ${on.key("b")} ${now + 1}`]);
    });
    it("ends without an error when it is stopped, and tells nothing more", async () => {
      const now = await on.put("a");
      const stopped = await on.watch({ ...on.all, from: now });
      const other = await on.watch({ ...on.all, from: now });
      // A watch that has to catch up may be told of both writes at once: what counts is what it hears of, not how often.
      const heard = ({ batches }: typeof other): readonly string[] => batches.flatMap(({ events }) => events.map(told));
      await expect.poll(() => heard(stopped)).toEqual([`put ${on.key("a")} ${now}`]);
      stopped.stop();
      expect(await stopped.over).toBeNull();
      const later = await on.put("b");
      await expect.poll(() => heard(other).at(-1)).toBe(`put ${on.key("b")} ${later}`);
      expect(heard(stopped)).toHaveLength(1);
      const never = on.etcd.watch([{ range: on.all, from: now }], AbortSignal.abort(new Error("too late")), fail, fail);
      await expect(never).rejects.toThrow("too late");
    });
    it("is open once all its ranges are watched", async () => {
      const now = await on.put("a");
      let opened = 0;
      const stopping = new AbortController();
      const ranges = ["a", "b", "c"].map((each) => ({
        range: { start: on.key(each), end: on.key("~") },
        from: now + 1,
      }));
      const seen = new Set<number>();
      const over = on.etcd.watch(
        ranges,
        stopping.signal,
        ({ range }) => seen.add(range),
        () => opened++,
      );
      await expect.poll(() => opened).toBe(1);
      await on.put("z");
      await expect.poll(() => [...seen].sort()).toEqual([0, 1, 2]);
      expect(opened).toBe(1);
      stopping.abort();
      await over;
    });
  });
}

/** What remains of a client that is closed. */
function closingRules(on: OnEtcd): void {
  it("a client that is closed ends its watches and does nothing more; others go on", async () => {
    const now = await on.put("a");
    const other = on.connect();
    const watched = await on.watch({ ...on.all, from: now });
    on.etcd.close();
    expect(await watched.over).toBeNull();
    expect(await codeOf(on.etcd.range(on.all))).toBe("closed");
    expect(await codeOf(on.etcd.txn([], [{ put: on.key("b"), value: "v" }]))).toBe("closed");
    expect(await codeOf(on.etcd.grantLease(5))).toBe("closed");
    expect((await other.range(on.all)).keyValues).toHaveLength(1);
  });
}

function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(() => "no error", codeOfError);
}

function codeOfError(error: unknown): unknown {
  return error instanceof RegistryError ? error.code : error;
}

function revisionOf(event: WatchEvent): number {
  return event.kind === "put" ? event.keyValue.modRevision : event.revision;
}

function told(event: WatchEvent): string {
  return `${event.kind} ${event.kind === "put" ? event.keyValue.key : event.key} ${revisionOf(event)}`;
}

function fail(): never {
  throw new Error("nothing was to be told");
}

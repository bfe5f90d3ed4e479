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
    let server: EtcdUnderContract;
    let etcd: Etcd;
    let key: (name: string) => string;
    let all: KeyRange;
    const clients: Etcd[] = [];
    const watches: Watch[] = [];
    const connect = (): Etcd => {
      const client = server.connect();
      clients.push(client);
      return client;
    };
    const put = async (...names: readonly string[]): Promise<number> =>
      (
        await etcd.txn(
          [],
          names.map((each) => ({ put: key(each), value: `value of ${each}` })),
        )
      ).revision;
    const remove = async (each: string): Promise<number> => (await etcd.txn([], [{ delete: key(each) }])).revision;
    const found = async (options?: Parameters<Etcd["range"]>[1]): Promise<readonly string[]> =>
      (await etcd.range(all, options)).keyValues.map((keyValue) => keyValue.key.slice(key("").length));
    const codeOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => "no error", codeOfError);
    const watch = async (...ranges: readonly (KeyRange & { readonly from: number })[]): Promise<Watch> => {
      const batches: WatchBatch[] = [];
      const stopping = new AbortController();
      const { promise: open, resolve } = Promise.withResolvers<void>();
      const asked = ranges.map(({ start, end, from }) => ({ range: { start, end }, from }));
      const over = etcd
        .watch(asked, stopping.signal, (batch) => batches.push(batch), resolve)
        .then(
          () => null,
          (error: unknown) => error,
        );
      const started = { batches, stop: () => stopping.abort(), over };
      watches.push(started);
      await Promise.race([open, over]);
      return started;
    };

    beforeAll(async () => {
      server = await make();
    });
    afterAll(() => server?.stop());
    beforeEach(() => {
      const keys = new Keys(`/contract-${process.pid}-${count++}/`);
      key = (each) => keys.unit(each);
      all = { start: keys.unit(""), end: keys.unit("\u{10ffff}") };
      etcd = connect();
    });
    afterEach(async () => {
      for (const { stop, over } of watches.splice(0)) {
        stop();
        await over;
      }
      for (const client of clients.splice(0)) client.close();
    });

    describe("a range", () => {
      it("lists keys in order with their revisions, its start included and its end not", async () => {
        const first = await put("b", "a");
        const second = await put("c", "b");
        const page = await etcd.range({ start: key("a"), end: key("c") });
        expect(page).toEqual({
          keyValues: [
            { key: key("a"), value: "value of a", createRevision: first, modRevision: first },
            { key: key("b"), value: "value of b", createRevision: first, modRevision: second },
          ],
          more: false,
          revision: second,
        });
        expect(await etcd.range({ start: key("x"), end: key("y") })).toMatchObject({ keyValues: [], more: false });
      });
      it("comes in pages, each behind a key", async () => {
        await put("a", "b", "c", "d", "e");
        expect(await etcd.range(all, { limit: 2 })).toMatchObject({ more: true });
        expect(await found({ limit: 2 })).toEqual(["a", "b"]);
        expect(await found({ limit: 2, after: key("b") })).toEqual(["c", "d"]);
        expect(await etcd.range(all, { limit: 2, after: key("d") })).toMatchObject({ more: false });
        expect(await found({ limit: 5 })).toEqual(["a", "b", "c", "d", "e"]);
        expect(await etcd.range(all, { limit: 5 })).toMatchObject({ more: false });
      });
      it("shows what was at a revision, until that is compacted away", async () => {
        const old = await put("a", "b");
        await put("c", "b");
        const last = await remove("a");
        expect(await found({ revision: old })).toEqual(["a", "b"]);
        expect((await etcd.range(all, { revision: old })).revision).toBe(old);
        expect(await found()).toEqual(["b", "c"]);
        await server.compact(last);
        expect(await codeOf(etcd.range(all, { revision: old }))).toBe("compacted");
        expect(await found({ revision: last })).toEqual(["b", "c"]);
      });
      it("at a revision that is still to come is an error", async () => {
        const now = await put("a");
        expect(await codeOf(etcd.range(all, { revision: now + 1_000 }))).toBe("unexpected");
      });
    });

    describe("a transaction", () => {
      it("is carried out where all its conditions hold, and is one revision", async () => {
        const created = await put("a");
        const written = await put("a");
        const conditions = [
          { key: key("a"), createRevision: created },
          { key: key("a"), modRevision: written },
          { key: key("b"), modRevision: 0 },
          { key: key("b"), createRevision: 0 },
        ];
        const ops = [{ put: key("b"), value: "1" }, { delete: key("a") }, { put: key("c"), value: "2" }];
        expect(await etcd.txn(conditions, ops)).toEqual({ succeeded: true, revision: written + 1, gets: [] });
        expect((await etcd.range(all)).keyValues).toMatchObject([
          { key: key("b"), modRevision: written + 1 },
          { key: key("c"), modRevision: written + 1 },
        ]);
      });
      it.each([
        ["the key was written since", (at: number) => ({ modRevision: at })],
        ["the key is there already", () => ({ createRevision: 0 })],
        ["the key was created at another time", (at: number) => ({ createRevision: at - 1 })],
      ])("does what it should otherwise where %s", async (_what, condition) => {
        const before = await put("a");
        const now = await put("a");
        const result = await etcd.txn(
          [{ key: key("a"), ...condition(before) } as Parameters<Etcd["txn"]>[0][number]],
          [{ put: key("b"), value: "never" }],
          [{ get: key("a") }, { get: key("b") }],
        );
        expect(result).toMatchObject({ succeeded: false, revision: now });
        expect(result.gets).toEqual([
          { key: key("a"), value: "value of a", createRevision: before, modRevision: now },
          null,
        ]);
        expect(await etcd.txn([{ key: key("a"), modRevision: 0 }], [{ put: key("b"), value: "never" }])).toMatchObject({
          succeeded: false,
          gets: [],
        });
      });
      it("reads what it has written itself", async () => {
        const { gets, revision } = await etcd.txn(
          [],
          [{ get: key("a") }, { put: key("a"), value: "new" }, { get: key("a") }],
        );
        expect(gets).toEqual([null, { key: key("a"), value: "new", createRevision: revision, modRevision: revision }]);
      });
      it("that changes nothing has no revision of its own", async () => {
        const now = await put("a");
        expect(await etcd.txn([{ key: key("a"), modRevision: now }], [])).toMatchObject({
          succeeded: true,
          revision: now,
          gets: [],
        });
        expect(await etcd.txn([], [{ delete: key("none") }])).toMatchObject({ succeeded: true, revision: now });
        expect(await etcd.txn([], [{ get: key("a") }])).toMatchObject({ revision: now });
        expect(await put("a")).toBe(now + 1);
      });
      it("begins a key's life anew after it was deleted", async () => {
        await put("a");
        await remove("a");
        const again = await put("a");
        expect((await etcd.range(all)).keyValues).toMatchObject([{ createRevision: again, modRevision: again }]);
      });
      it("may not put a key twice, nor put and delete it, in neither of its branches", async () => {
        const twice = [
          { put: key("a"), value: "1" },
          { put: key("a"), value: "2" },
        ];
        const both = [{ put: key("a"), value: "1" }, { delete: key("a") }];
        for (const ops of [twice, both, both.toReversed()]) {
          expect(await codeOf(etcd.txn([], ops))).toBe("unexpected");
          expect(await codeOf(etcd.txn([{ key: key("x"), modRevision: 0 }], [], ops))).toBe("unexpected");
        }
        expect(await found()).toEqual([]);
        expect(await codeOf(etcd.txn([], [{ delete: key("a") }, { delete: key("a") }]))).toBe("no error");
      });
      it("takes 128 operations and no more, 1.5 MiB and no more, and no empty key", async () => {
        const many = Array.from({ length: 129 }, (_, index) => ({ put: key(`k${index}`), value: "" }));
        expect(await codeOf(etcd.txn([], many.slice(1)))).toBe("no error");
        expect(await codeOf(etcd.txn([], many))).toBe("unexpected");
        expect(await codeOf(etcd.txn([], [{ put: key("a"), value: "x".repeat(1_400_000) }]))).toBe("no error");
        expect(await codeOf(etcd.txn([], [{ put: key("a"), value: "x".repeat(1_600_000) }]))).toBe("unexpected");
        expect(await codeOf(etcd.txn([], [{ put: "", value: "x" }]))).toBe("unexpected");
      });
      it("keeps texts beyond ASCII as they are", async () => {
        await etcd.txn([], [{ put: key("ü-€-𝄞"), value: "\u0000 é 日本 🚀" }]);
        expect((await etcd.range(all)).keyValues).toMatchObject([{ key: key("ü-€-𝄞"), value: "\u0000 é 日本 🚀" }]);
      });
    });

    describe("a lease", () => {
      const under = (lease: string, ...names: readonly string[]) =>
        etcd.txn(
          [],
          names.map((each) => ({ put: key(each), value: "v", lease })),
        );
      it("has an ID of its own, and its whole time again with each keep-alive", async () => {
        const lease = await etcd.grantLease(60);
        expect(await etcd.grantLease(60)).not.toBe(lease);
        expect(await etcd.keepLeaseAlive(lease)).toBe(60);
      });
      it("takes its keys with it, in one revision, but not those that were written anew without it", async () => {
        const lease = await etcd.grantLease(60);
        const other = await etcd.grantLease(60);
        const { revision } = await under(lease, "a", "b", "c", "d");
        const watched = await watch({ ...all, from: revision + 1 });
        await put("b");
        const last = await under(other, "c");
        await etcd.revokeLease(lease);
        expect(await found()).toEqual(["b", "c"]);
        await expect.poll(() => watched.batches.at(-1)?.revision).toBe(last.revision + 1);
        expect(watched.batches.at(-1)?.events).toEqual([
          { kind: "delete", key: key("a"), revision: last.revision + 1 },
          { kind: "delete", key: key("d"), revision: last.revision + 1 },
        ]);
      });
      it("that is gone is said to be gone, may be ended again, and binds nothing", async () => {
        const lease = await etcd.grantLease(60);
        await etcd.revokeLease(lease);
        await etcd.revokeLease(lease);
        expect(await etcd.keepLeaseAlive(lease)).toBe(0);
        const write = etcd.txn(
          [],
          [
            { put: key("a"), value: "v" },
            { put: key("b"), value: "v", lease },
          ],
        );
        expect(await codeOf(write)).toBe("lease-lost");
        expect(await found()).toEqual([]);
      });
      it("ends with its keys when nobody keeps it alive, and not before", async () => {
        const kept = await etcd.grantLease(3);
        const left = await etcd.grantLease(3);
        const { revision } = await under(kept, "kept");
        await under(left, "left", "also left");
        const watched = await watch({ ...all, from: revision + 2 });
        await server.letPass(1_000);
        expect(await found()).toEqual(["also left", "kept", "left"]);
        for (let times = 0; watched.batches.length === 0 && times < 20; times++) {
          expect(await etcd.keepLeaseAlive(kept)).toBe(3);
          await server.letPass(500);
        }
        expect(watched.batches).toMatchObject([{ events: [{ key: key("also left") }, { key: key("left") }] }]);
        expect(await found()).toEqual(["kept"]);
        expect(await etcd.keepLeaseAlive(left)).toBe(0);
      });
      it("is at least two seconds long", async () => {
        expect(await etcd.keepLeaseAlive(await etcd.grantLease(1))).toBe(2);
      });
    });

    describe("a watch", () => {
      it("tells what was and what comes, from its revision on, one transaction's changes together", async () => {
        await put("before");
        const first = await put("a");
        const second = await put("b", "c");
        const watched = await watch({ ...all, from: first });
        const third = (await etcd.txn([], [{ put: key("d"), value: "v" }, { delete: key("a") }])).revision;
        await expect.poll(() => watched.batches.at(-1)?.revision).toBe(third);
        expect(watched.batches.flatMap(({ events }) => events.map(told))).toEqual([
          `put ${key("a")} ${first}`,
          `put ${key("b")} ${second}`,
          `put ${key("c")} ${second}`,
          `put ${key("d")} ${third}`,
          `delete ${key("a")} ${third}`,
        ]);
        for (const revision of [second, third])
          expect(
            watched.batches.filter(({ events }) => events.some((each) => revisionOf(each) === revision)),
          ).toHaveLength(1);
      });
      it("tells the whole of a key that was written", async () => {
        const first = await put("a");
        const watched = await watch({ ...all, from: first + 1 });
        const second = await put("a");
        await expect
          .poll(() => watched.batches)
          .toEqual([
            {
              range: 0,
              revision: second,
              events: [
                {
                  kind: "put",
                  keyValue: { key: key("a"), value: "value of a", createRevision: first, modRevision: second },
                },
              ],
            },
          ]);
      });
      it("of several ranges says which, each from its own revision on", async () => {
        const first = await put("a1", "b1");
        const second = await put("a2", "b2");
        const watched = await watch(
          { start: key("a"), end: key("b"), from: first },
          { start: key("b"), end: key("c"), from: second },
        );
        const third = await put("a3", "b3", "x");
        const of = (range: number): readonly string[] =>
          watched.batches.filter((batch) => batch.range === range).flatMap(({ events }) => events.map(told));
        await expect
          .poll(() => [of(0), of(1)])
          .toEqual([
            [`put ${key("a1")} ${first}`, `put ${key("a2")} ${second}`, `put ${key("a3")} ${third}`],
            [`put ${key("b2")} ${second}`, `put ${key("b3")} ${third}`],
          ]);
      });
      it("from a revision to come tells nothing before it", async () => {
        const now = await put("a");
        const watched = await watch({ ...all, from: now + 3 });
        await put("b");
        await put("c");
        const last = await put("d");
        await expect
          .poll(() => watched.batches.flatMap(({ events }) => events.map(told)))
          .toEqual([`put ${key("d")} ${last}`]);
      });
      it("from a revision that is compacted away breaks and says so; one from the revision that was kept works", async () => {
        const first = await put("a");
        await put("b");
        const last = await put("c");
        await server.compact(last);
        const broken = await watch({ ...all, from: first });
        expect(codeOfError(await broken.over)).toBe("compacted");
        expect(broken.batches).toEqual([]);
        const works = await watch({ ...all, from: last });
        await expect
          .poll(() => works.batches.flatMap(({ events }) => events.map(told)))
          .toEqual([`put ${key("c")} ${last}`]);
      });
      it("that is up to date goes on after a compaction", async () => {
        const first = await put("a");
        const watched = await watch({ ...all, from: first });
        await expect.poll(() => watched.batches.length).toBe(1);
        await server.compact(await put("b"));
        const last = await put("c");
        await expect.poll(() => watched.batches.at(-1)?.revision).toBe(last);
        expect(watched.batches).toHaveLength(3);
      });
      it("sees what another client writes, and nothing that fails", async () => {
        const now = await put("a");
        const watched = await watch({ ...all, from: now + 1 });
        await etcd.txn([{ key: key("a"), modRevision: 0 }], [{ put: key("never"), value: "v" }]);
        await connect().txn([], [{ put: key("b"), value: "v" }]);
        await expect
          .poll(() => watched.batches.flatMap(({ events }) => events.map(told)))
          .toEqual([`put ${key("b")} ${now + 1}`]);
      });
      it("ends without an error when it is stopped, and tells nothing more", async () => {
        const now = await put("a");
        const stopped = await watch({ ...all, from: now });
        const other = await watch({ ...all, from: now });
        await expect.poll(() => stopped.batches.length).toBe(1);
        stopped.stop();
        expect(await stopped.over).toBeNull();
        await put("b");
        await expect.poll(() => other.batches.length).toBe(2);
        expect(stopped.batches).toHaveLength(1);
        const never = etcd.watch([{ range: all, from: now }], AbortSignal.abort(new Error("too late")), fail, fail);
        await expect(never).rejects.toThrow("too late");
      });
      it("is open once all its ranges are watched", async () => {
        const now = await put("a");
        let opened = 0;
        const stopping = new AbortController();
        const ranges = ["a", "b", "c"].map((each) => ({ range: { start: key(each), end: key("~") }, from: now + 1 }));
        const seen = new Set<number>();
        const over = etcd.watch(
          ranges,
          stopping.signal,
          ({ range }) => seen.add(range),
          () => opened++,
        );
        await expect.poll(() => opened).toBe(1);
        await put("z");
        await expect.poll(() => [...seen].sort()).toEqual([0, 1, 2]);
        expect(opened).toBe(1);
        stopping.abort();
        await over;
      });
    });

    it("a client that is closed ends its watches and does nothing more; others go on", async () => {
      const now = await put("a");
      const other = connect();
      const watched = await watch({ ...all, from: now });
      etcd.close();
      expect(await watched.over).toBeNull();
      expect(await codeOf(etcd.range(all))).toBe("closed");
      expect(await codeOf(etcd.txn([], [{ put: key("b"), value: "v" }]))).toBe("closed");
      expect(await codeOf(etcd.grantLease(5))).toBe("closed");
      expect((await other.range(all)).keyValues).toHaveLength(1);
    });
  });
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

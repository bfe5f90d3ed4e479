import type { Change, RegistryError } from "@fleet/domain/cluster";
import { describe, expect, it, vi } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import type { Mirror } from "./mirror.ts";
import type { MirrorSettings } from "./registry.ts";

const clock = fakeClock();
const { etcd, registry, stopping } = fakeRegistry();

/** What a mirror's listener was told at once. */
interface Told {
  readonly changes: readonly string[];
  readonly revision: number;
  readonly isGap: boolean;
}
interface Followed {
  readonly mirror: Mirror;
  readonly told: Told[];
  readonly troubles: RegistryError[];
  readonly run: () => Promise<void>;
}

const unit = (name: string): string => registry().keys.unit(name);
const record = (desiredState: string): string => JSON.stringify({ hash: "h", desiredState });
/** Writes units as somebody else does; null deletes. Returns the revision. */
const write = async (states: Readonly<Record<string, string | null>>): Promise<number> => {
  const ops = Object.entries(states).map(([name, state]) =>
    state === null ? { delete: unit(name) } : { put: unit(name), value: record(state) },
  );
  return (await etcd().connect().txn([], ops)).revision;
};
const named = (change: Change): string => {
  if (change.kind !== "unit") return change.kind;
  return `${change.name} ${change.after === null ? "gone" : change.after.desiredState}`;
};
const follow = (settings: Partial<MirrorSettings> = {}): Followed => {
  const told: Told[] = [];
  const troubles: RegistryError[] = [];
  const mirror = registry().mirror({
    ranges: [registry().keys.all()],
    onTrouble: (error) => troubles.push(error),
    ...settings,
  });
  mirror.onChanges((changes, revision, isGap) => told.push({ changes: changes.map(named), revision, isGap }));
  return { mirror, told, troubles, run: () => mirror.run(stopping().signal) };
};
/** A mirror that has been listed and follows; what it was told of so far is forgotten. */
const following = async (settings: Partial<MirrorSettings> = {}): Promise<Followed> => {
  const followed = follow(settings);
  void followed.run();
  await clock.pass(1);
  expect(followed.mirror.isReady).toBe(true);
  followed.told.length = 0;
  return followed;
};
const names = ({ mirror }: Followed): readonly string[] => [...mirror.state.units.keys()].sort();
const asked = (operation: "range" | "watch"): number => etcd().asked.get(operation) ?? 0;

describe("the first list", () => {
  it("is of one revision, whatever is written between its pages, which then comes as a change", async () => {
    await write({ a: "loaded", b: "loaded", c: "loaded" });
    const followed = follow({ pageSize: 2 });
    etcd().hold("range");
    void followed.run();
    await clock.pass(1);
    const later = await write({ a: "launched", b: null, d: "loaded" });
    etcd().release();
    await clock.pass(1);
    expect(followed.told).toEqual([
      { changes: ["a loaded", "b loaded"], revision: later - 1, isGap: false },
      { changes: ["c loaded"], revision: later - 1, isGap: false },
      { changes: [], revision: later - 1, isGap: false },
      { changes: ["a launched", "b gone", "d loaded"], revision: later, isGap: false },
    ]);
    expect(names(followed)).toEqual(["a", "c", "d"]);
  });
  it("must be whole before there is anything to act on", async () => {
    await write({ a: "loaded", b: "loaded", c: "loaded" });
    const followed = follow({ pageSize: 2 });
    let isReady = false;
    void followed.mirror.ready.then(() => {
      isReady = true;
    });
    const { range } = etcd();
    vi.spyOn(etcd(), "range").mockImplementation((asked, options) => {
      if (options?.after !== undefined) etcd().hold("range");
      return range.call(etcd(), asked, options);
    });
    void followed.run();
    await clock.pass(1_000);
    expect(names(followed)).toEqual(["a", "b"]);
    expect([followed.mirror.isReady, isReady, followed.mirror.isConnected]).toEqual([false, false, false]);
    etcd().release();
    await clock.pass(1);
    expect([followed.mirror.isReady, isReady, followed.mirror.isConnected]).toEqual([true, true, true]);
  });
  it("that breaks off half-way is begun anew, and what has gone meanwhile is not left behind", async () => {
    await write({ a: "loaded", b: "loaded", c: "loaded" });
    const followed = follow({ pageSize: 2 });
    const { range } = etcd();
    let pages = 0;
    vi.spyOn(etcd(), "range").mockImplementation(async (...args) => {
      if (++pages === 2) etcd().fail("range", "unavailable", 1);
      return range.apply(etcd(), args);
    });
    void followed.run();
    await clock.pass(0);
    expect([names(followed), followed.mirror.isReady]).toEqual([["a", "b"], false]);
    await write({ a: null, b: "launched" });
    await clock.pass(5_000);
    expect([names(followed), followed.mirror.isReady]).toEqual([["b", "c"], true]);
    expect(followed.told.slice(1)).toEqual([
      { changes: ["c loaded", "a gone", "b launched"], revision: etcd().store.revision, isGap: false },
    ]);
    expect(followed.troubles.map(({ code }) => code)).toEqual(["unavailable"]);
  });
  it("whose revision is compacted away while it is read is begun anew", async () => {
    await write({ a: "loaded", b: "loaded", c: "loaded" });
    const followed = follow({ pageSize: 2 });
    etcd().hold("range");
    void followed.run();
    await clock.pass(0);
    await write({ d: "loaded" });
    etcd().compact();
    etcd().release();
    await clock.pass(5_000);
    expect(followed.troubles.map(({ code }) => code)).toEqual(["compacted"]);
    expect([names(followed), followed.mirror.isConnected]).toEqual([["a", "b", "c", "d"], true]);
  });
  it("reads pages that grow, up to the most", async () => {
    for (let start = 0; start < 2_000; start += 100)
      await write(Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`u${start + index}`, "loaded"])));
    const limits = vi.spyOn(etcd(), "range");
    const followed = follow({ pageSize: 900 });
    void followed.run();
    await clock.pass(50);
    const pages = limits.mock.calls.filter(([, options]) => options?.keysOnly !== true);
    expect(pages.map(([, options]) => options?.limit)).toEqual([4, 16, 64, 256, 900, 900]);
    expect(new Set(pages.slice(1).map(([, options]) => options?.revision)).size).toBe(1);
    expect(followed.mirror.state.units.size).toBe(2_000);
  });
});

describe("a mirror that follows", () => {
  it("tells one transaction's changes together, when its state holds them", async () => {
    const followed = await following();
    const seen: unknown[] = [];
    followed.mirror.onChanges(() => seen.push(names(followed)));
    const revision = await write({ a: "loaded", b: "launched" });
    await clock.pass(0);
    expect(followed.told).toEqual([{ changes: ["a loaded", "b launched"], revision, isGap: false }]);
    expect(seen).toEqual([["a", "b"]]);
    expect(followed.mirror.revision).toBe(revision);
  });
  it("tells nothing to a listener that has left", async () => {
    const followed = await following();
    const seen: unknown[] = [];
    const leave = followed.mirror.onChanges((changes) => seen.push(changes));
    leave();
    await write({ a: "loaded" });
    await clock.pass(0);
    expect([seen, followed.told.length]).toEqual([[], 1]);
  });
  it("goes on where it was after its stream broke: nothing is missed, nothing is told twice or read anew", async () => {
    const followed = await following();
    await write({ a: "loaded" });
    await clock.pass(0);
    const ranges = vi.spyOn(etcd(), "range");
    etcd().fail("watch", "unavailable");
    await clock.pass(2_000);
    expect([followed.mirror.isConnected, names(followed)]).toEqual([false, ["a"]]);
    await write({ b: "loaded" });
    await write({ a: null });
    await clock.pass(10_000);
    expect([names(followed), followed.told.length]).toEqual([["a"], 1]);
    etcd().fail("watch", null);
    await clock.pass(6_000);
    expect(followed.told.slice(1).map(({ changes, isGap }) => [...changes, isGap])).toEqual([
      ["b loaded", false],
      ["a gone", false],
    ]);
    expect(ranges.mock.calls.filter(([, options]) => options?.keysOnly !== true)).toEqual([]);
    expect([followed.mirror.isConnected, followed.troubles.length]).toEqual([true, 1]);
  });
  it("pauses longer and longer while etcd is away", async () => {
    await following();
    etcd().fail("all", "unavailable");
    await clock.pass(1_000);
    const soon = asked("range");
    await clock.pass(60_000);
    expect(soon).toBeGreaterThan(3);
    expect(asked("range") - soon).toBeLessThan(30);
  });
  it("says the same trouble anew once its watch has worked in between", async () => {
    const followed = await following();
    for (let times = 0; times < 3; times++) {
      etcd().breakWatches();
      await clock.pass(1_000);
    }
    expect(followed.troubles).toHaveLength(3);
  });
  it("takes nothing a second time that a stream repeats", async () => {
    const followed = await following();
    const { watch } = etcd();
    vi.spyOn(etcd(), "watch").mockImplementation((ranges, signal, onBatch, onOpen) => {
      const twice: typeof onBatch = (batch) => {
        onBatch(batch);
        repeated.push(batch);
        for (const again of repeated) onBatch(again);
      };
      const repeated: Parameters<typeof onBatch>[0][] = [];
      return watch.call(etcd(), ranges, signal, twice, onOpen);
    });
    etcd().breakWatches();
    await clock.pass(1_000);
    await write({ a: "loaded" });
    await write({ a: null });
    await write({ b: "loaded" });
    await clock.pass(0);
    expect(followed.told.flatMap(({ changes }) => changes)).toEqual(["a loaded", "a gone", "b loaded"]);
    expect(names(followed)).toEqual(["b"]);
  });
  it("lists anew after a compaction and tells the differences once, as a gap, in the order of their revisions", async () => {
    await write({ a: "loaded", b: "loaded", c: "loaded" });
    const followed = await following();
    etcd().fail("watch", "unavailable", 1);
    await write({ d: "loaded" });
    await write({ a: "launched" });
    const revision = await write({ b: null, e: "loaded" });
    etcd().compact();
    await clock.pass(5_000);
    expect(followed.told).toEqual([
      { changes: ["d loaded", "a launched", "b gone", "e loaded"], revision, isGap: true },
    ]);
    expect(followed.mirror.isConnected).toBe(true);
    const next = await write({ c: null });
    await clock.pass(0);
    expect(followed.told.at(-1)).toEqual({ changes: ["c gone"], revision: next, isGap: false });
  });
  it("leaves what it understood last in place of a value that nobody understands", async () => {
    const followed = await following();
    await write({ a: "loaded" });
    await etcd().txn([], [{ put: unit("a"), value: "{broken" }]);
    await clock.pass(0);
    expect(followed.mirror.state.units.get("a")?.desiredState).toBe("loaded");
    expect(followed.mirror.state.malformed.has(unit("a"))).toBe(true);
  });
  it("is connected once etcd has taken on its watch, and ends when it is told to", async () => {
    const followed = follow();
    etcd().hold("watch", "request");
    const done = followed.run();
    await clock.pass(1);
    expect([followed.mirror.isReady, followed.mirror.isConnected]).toEqual([true, false]);
    etcd().release();
    await clock.pass(0);
    expect([followed.mirror.isConnected, etcd().watching]).toEqual([true, 1]);
    stopping().abort();
    await done;
    expect([followed.mirror.isConnected, etcd().watching]).toEqual([false, 0]);
  });
  it("of several ranges goes on in each from where that one was", async () => {
    const ranges = [
      { start: unit("a"), end: unit("b") },
      { start: unit("x"), end: unit("y") },
    ];
    const followed = await following({ ranges });
    const first = await write({ a1: "loaded" });
    await write({ outside: "loaded" });
    await clock.pass(0);
    expect(followed.mirror.revision).toBeLessThan(first);
    etcd().breakWatches();
    await write({ x1: "loaded", a2: "loaded" });
    await clock.pass(1_000);
    expect(followed.told.flatMap(({ changes }) => changes)).toEqual(["a1 loaded", "a2 loaded", "x1 loaded"]);
  });
  it("in order watches its ranges as one, and takes in nothing of what lies between", async () => {
    const ranges = [
      { start: unit("a"), end: unit("b") },
      { start: unit("x"), end: unit("y") },
    ];
    const followed = await following({ ranges, inOrder: true });
    await write({ x1: "loaded" });
    await write({ between: "loaded" });
    const last = await write({ x2: "loaded", a1: "loaded" });
    await clock.pass(0);
    expect(followed.told.flatMap(({ changes }) => changes)).toEqual(["x1 loaded", "x2 loaded", "a1 loaded"]);
    expect([names(followed), followed.mirror.revision]).toEqual([["a1", "x1", "x2"], last]);
  });
});

describe("a mirror that reads everything anew", () => {
  it("tells what differs after each pause, and never that changes were missed", async () => {
    await write({ a: "loaded", b: "loaded" });
    const followed = await following({ pollMs: 1_000 });
    await write({ a: "launched", b: null, c: "loaded" });
    await clock.pass(900);
    expect(followed.told).toEqual([]);
    await clock.pass(200);
    expect(followed.told.map(({ changes, isGap }) => [changes.toSorted(), isGap])).toEqual([
      [["a launched", "b gone", "c loaded"], false],
    ]);
    await clock.pass(3_000);
    expect([followed.told.length, asked("watch"), followed.mirror.isConnected]).toEqual([1, 0, true]);
  });
  it("keeps its state while etcd is away, and reads again when it is back", async () => {
    await write({ a: "loaded" });
    const followed = await following({ pollMs: 1_000 });
    etcd().fail("range", "unavailable");
    await write({ a: null });
    await clock.pass(5_000);
    expect([names(followed), followed.mirror.isConnected, followed.troubles.length]).toEqual([["a"], false, 1]);
    etcd().fail("range", null);
    await clock.pass(6_000);
    expect([names(followed), followed.mirror.isConnected]).toEqual([[], true]);
  });
});

describe("waiting for a write", () => {
  const settled = (wait: Promise<boolean>): (() => boolean | undefined) => {
    let seen: boolean | undefined;
    void wait.then((value) => {
      seen = value;
    });
    return () => seen;
  };
  it("ends when the state holds it, and at once where it does already", async () => {
    const { mirror } = await following();
    etcd().hold("watch");
    const revision = await write({ a: "loaded" });
    const seen = settled(mirror.waitFor(unit("a"), revision, 1_000));
    await clock.pass(999);
    expect(seen()).toBeUndefined();
    etcd().release();
    await clock.pass(0);
    expect([seen(), mirror.state.units.has("a")]).toEqual([true, true]);
    expect(await mirror.waitFor(unit("a"), revision, 1_000)).toBe(true);
  });
  it("ends in vain when its time is out", async () => {
    const { mirror } = await following();
    const seen = settled(mirror.waitFor(unit("a"), etcd().store.revision + 1, 1_000));
    await clock.pass(999);
    expect(seen()).toBeUndefined();
    await clock.pass(1);
    expect(seen()).toBe(false);
  });
  it("ends in vain when the mirror does", async () => {
    const { mirror } = await following();
    const seen = settled(mirror.waitFor(unit("a"), etcd().store.revision + 1, 60_000));
    stopping().abort();
    await clock.pass(0);
    expect(seen()).toBe(false);
  });
  it("ends by etcd's word that there was nothing else until then", async () => {
    const { mirror } = await following({ ranges: [{ start: unit("a"), end: unit("b") }] });
    const revision = await write({ elsewhere: "loaded" });
    const seen = settled(mirror.waitFor(unit("a"), revision, 1_000));
    await clock.pass(10);
    expect(seen()).toBeUndefined();
    etcd().progress();
    await clock.pass(0);
    expect(seen()).toBe(true);
  });
  it("for a key that the mirror does not follow is a mistake", async () => {
    const { mirror } = await following();
    expect(() => mirror.waitFor("/elsewhere/units/a", 1, 1_000)).toThrow("/elsewhere/units/a");
  });
});

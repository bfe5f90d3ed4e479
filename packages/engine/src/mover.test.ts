import { ClusterState, encodeEnded, RegistryError } from "@fleet/domain/cluster";
import { ModelFeed } from "@fleet/domain/placement";
import { MOVE_LIMITS, NOWHERE, type Placed } from "@fleet/domain/whereabouts";
import { pino } from "pino";
import { describe, expect, it, vi } from "vitest";
import { Mover } from "./mover.ts";
import { engineConfig, OVERLAP } from "./testing/simulated-cluster.ts";
import { type EngineUnderTest, engineTest } from "./testing/simulated-engine.ts";

const { clock, cluster, registry, start } = engineTest();
const on = (machine: string): Placed => ({ kind: "placed", on: machine });
const A = "a.service";
const B = "b.service";

/** Holds up an engine's writes of a unit, before etcd has them or before they are answered, until it is told to go on. */
function heldWrites({ etcd }: EngineUnderTest, unit: string, place: "request" | "answer" | "error"): () => void {
  const { txn } = etcd;
  const gate = Promise.withResolvers<void>();
  vi.spyOn(etcd, "txn").mockImplementation(async (compares, ops, otherwise) => {
    const isHeld = ops.some((op) => "put" in op && op.put === registry().keys.unit(unit));
    if (isHeld && place === "request") await gate.promise;
    const result = await txn.call(etcd, compares, ops, otherwise);
    if (isHeld && place !== "request") await gate.promise;
    if (isHeld && place === "error") throw new RegistryError("timeout", "etcd did not answer in time");
    return result;
  });
  return gate.resolve;
}

/** Two machines, and units on the first that are up there. */
async function onFirst(units: readonly string[] = [A], text?: string): Promise<void> {
  await cluster().join("m1", "m2");
  await cluster().unit(units, on("m1"), text);
  await clock.pass(1);
  cluster().done.length = 0;
}

describe("a drain", () => {
  it("moves one unit after the other, each once the one before is up", async () => {
    await onFirst([A, B]);
    cluster().fates.set(`m2 ${A}`, "starting");
    const { moving } = start();
    await cluster().drain("m1");
    await clock.pass(20_000);
    expect([cluster().done, moving()]).toEqual([[`m1 - ${A}`, `m2 + ${A}`], [A]]);
    await cluster().turn("m2", A, "up");
    await clock.pass(100);
    expect(cluster().done.slice(2)).toEqual([`m1 - ${B}`, `m2 + ${B}`]);
    expect([cluster().where(A), cluster().where(B), moving()]).toEqual([on("m2"), on("m2"), []]);
  });
  it("of two machines goes on for both at once", async () => {
    await cluster().join("m1", "m2", "m3");
    await cluster().unit(A, on("m1"));
    await cluster().unit(B, on("m2"));
    cluster().fates.set(`m3 ${A}`, "starting").set(`m3 ${B}`, "starting");
    const { moving } = start();
    await cluster().drain("m1");
    await cluster().drain("m2");
    await clock.pass(1_000);
    expect(moving()).toEqual([A, B]);
  });
  it("leaves a unit that fits nowhere else where it is, says so once a while, and goes on with the next", async () => {
    const pinned = "[Service]\nExecStart=/bin/a\n[X-Fleet]\nMachineID=m1\n";
    await onFirst([A], pinned);
    await cluster().unit(B, on("m1"));
    const { said } = start();
    await cluster().drain("m1");
    await clock.pass(MOVE_LIMITS.rest - 2_000);
    expect([cluster().where(A), cluster().where(B)]).toEqual([on("m1"), on("m2")]);
    expect(said.filter((message) => message.startsWith("not moved"))).toEqual([
      "not moved: it fits on no other machine",
    ]);
    await clock.pass(5_000);
    expect(said.filter((message) => message.startsWith("not moved"))).toHaveLength(2);
  });
});

describe("a unit whose placement is on its way to etcd", () => {
  it("is not touched before the engine's view shows it there: its place stays taken", async () => {
    await cluster().join("m1");
    const { etcd } = start();
    await clock.pass(100);
    etcd.hold("txn", "request");
    await cluster().unit(B);
    await clock.pass(100);
    await cluster().drain("m1");
    await clock.pass(100);
    await cluster().write({ delete: registry().keys.cordon("m1") });
    await cluster().unit(A, NOWHERE, `[Service]\nExecStart=/bin/b\n[X-Fleet]\nConflicts=${B}\n`);
    await clock.pass(100);
    etcd.hold("watch");
    etcd.release("txn");
    await clock.pass(100);
    etcd.release("watch");
    await clock.pass(1_000);
    expect([cluster().done, cluster().where(B), cluster().where(A)]).toEqual([[`m1 + ${B}`], on("m1"), NOWHERE]);
  });
});

describe("an engine whose view of etcd stays behind", () => {
  it("keeps the place of a unit that is being started there", async () => {
    await onFirst([A], OVERLAP);
    cluster().fates.set(`m2 ${A}`, "starting");
    const { etcd } = start();
    await clock.pass(100);
    etcd.hold("txn", "request");
    await cluster().drain("m1");
    await clock.pass(600);
    await cluster().unit(B, NOWHERE, `[Service]\nExecStart=/bin/b\n[X-Fleet]\nMachineID=m2\nConflicts=${A}\n`);
    await clock.pass(100);
    etcd.hold("watch");
    etcd.release("txn");
    await clock.pass(20_000);
    expect([cluster().where(A), cluster().where(B)]).toEqual([{ kind: "moving", on: "m1", to: "m2" }, NOWHERE]);
  });
});

describe("an engine that may not act for a moment", () => {
  it("looks again soon at what is asked for, though nothing changes", async () => {
    await onFirst();
    await cluster().request(A, "m2");
    const state = new ClusterState(registry().keys);
    const { keyValues } = await registry().etcd.range(registry().keys.all());
    for (const keyValue of keyValues) state.put(keyValue);
    let asked = 0;
    const mover = new Mover({
      ...{ registry: registry(), log: pino({ level: "silent" }), state, model: new ModelFeed(state).model },
      states: { of: () => null, forget: () => undefined },
      leadership: () => {
        asked++;
        return null;
      },
      hold: () => undefined,
    });
    const stopping = new AbortController();
    const over = mover.run(stopping.signal);
    await clock.pass(10_000);
    stopping.abort();
    await over;
    expect(asked).toBeGreaterThan(5);
  });
});

describe("a unit that must not run twice", () => {
  it("is placed only when its machine has let go of it, without a read of etcd while that takes minutes", async () => {
    await onFirst();
    await cluster().turn("m1", A, "stuck");
    const { etcd } = start();
    await cluster().drain("m1");
    await clock.pass(5_000);
    const ranges = vi.spyOn(etcd, "range");
    await clock.pass(200_000);
    expect(cluster().where(A)).toMatchObject({ kind: "leaving", from: "m1" });
    expect(cluster().done).toEqual([]);
    // Mirrors check themselves by keys alone, and the engine looks whether etcd is there.
    const isOfUnit = ([range]: Parameters<typeof etcd.range>): boolean => range.start.includes(A);
    expect(ranges.mock.calls.filter((call) => isOfUnit(call) && call[1]?.keysOnly !== true)).toEqual([]);
    await cluster().turn("m1", A, "up");
    await clock.pass(500);
    expect(cluster().done).toEqual([`m1 - ${A}`, `m2 + ${A}`]);
  });
  it("is placed all the same when its machine does not let go of it in time, which is said", async () => {
    await onFirst();
    await cluster().turn("m1", A, "stuck");
    const { said } = start();
    await cluster().drain("m1");
    await clock.pass(MOVE_LIMITS.stop + 2_000);
    expect(cluster().where(A)).toEqual(on("m2"));
    expect(said).toContain(`${A}: it has not stopped within 300 s: it is placed anew`);
  });
  it("is left alone once its user has stopped it", async () => {
    await onFirst();
    await cluster().turn("m1", A, "stuck");
    const { moving } = start();
    await cluster().drain("m1");
    await clock.pass(1_000);
    await cluster().set(A, "inactive", NOWHERE);
    await clock.pass(1_000);
    expect([moving(), cluster().record(A)]).toMatchObject([[], { desiredState: "inactive", whereabouts: NOWHERE }]);
  });
});

describe("a unit that may overlap", () => {
  it("is up on its new machine before it leaves the old one, and is begun once only", async () => {
    await onFirst([A], OVERLAP);
    const { etcd, moving } = start();
    // What machines say of units comes at once, the units' own records come late.
    const { watch } = etcd;
    vi.spyOn(etcd, "watch").mockImplementation((ranges, signal, onBatch, onOpen) => {
      const late: typeof onBatch = (batch) => void setTimeout(() => onBatch(batch), 300);
      return watch.call(etcd, ranges, signal, ranges.length > 1 ? late : onBatch, onOpen);
    });
    await clock.pass(1_000);
    const sent = etcd.txns.length;
    await cluster().drain("m1");
    await clock.pass(5_000);
    expect(cluster().done).toEqual([`m2 + ${A}`, `m1 - ${A}`]);
    expect([cluster().where(A), moving(), etcd.watching]).toEqual([on("m2"), [], 1]);
    expect(etcd.txns.slice(sent).map(({ succeeded }) => succeeded)).toEqual([true, true]);
  });
  it("is not placed a third time when its old machine is lost meanwhile", async () => {
    await onFirst([A], OVERLAP);
    await cluster().join("m3");
    cluster().fates.set(`m2 ${A}`, "starting");
    start();
    await cluster().request(A, "m2");
    await clock.pass(1_000);
    await cluster().lose("m1", A);
    await clock.pass(1_000);
    await cluster().turn("m2", A, "up");
    await clock.pass(1_000);
    expect([cluster().done, cluster().where(A)]).toEqual([[`m2 + ${A}`], on("m2")]);
  });
  it("is not begun on a machine that has just left", async () => {
    await onFirst([A], OVERLAP);
    const started = start();
    await clock.pass(100);
    const goOn = heldWrites(started, A, "request");
    await cluster().drain("m1");
    await clock.pass(100);
    const sent = started.etcd.txns.length;
    await cluster().lose("m2");
    goOn();
    await clock.pass(1_000);
    expect(started.etcd.txns.slice(sent).map(({ succeeded }) => succeeded)).toEqual([false]);
    expect(cluster().where(A)).toEqual(on("m1"));
  });
  it("is not begun where it has ended and the engine has not heard that", async () => {
    await onFirst([A], OVERLAP);
    const started = start();
    await clock.pass(100);
    const goOn = heldWrites(started, A, "request");
    await cluster().drain("m1");
    await clock.pass(100);
    const sent = started.etcd.txns.length;
    const hash = cluster().record(A)?.hash ?? "";
    await cluster().write({ put: registry().keys.ended("m1", A), value: encodeEnded({ hash }) });
    goOn();
    await clock.pass(1);
    expect(started.etcd.txns.slice(sent).map(({ succeeded }) => succeeded)[0]).toBe(false);
    await clock.pass(10_000);
    expect(cluster().record(A)).toMatchObject({ whereabouts: on("m2"), ended: true });
  });
  it("stays on the old one when it fails on the new one", async () => {
    await onFirst([A], OVERLAP);
    cluster().fates.set(`m2 ${A}`, "failed");
    const { said, moving } = start();
    await cluster().drain("m1");
    await clock.pass(2_000);
    expect(cluster().done).toEqual([`m2 + ${A}`, `m2 - ${A}`]);
    expect([cluster().where(A), moving()]).toEqual([on("m1"), []]);
    expect(said).toContain("not moved: it did not become active on machine m2");
  });
});

describe("a request", () => {
  it("is removed when its move is done", async () => {
    await onFirst();
    start();
    await cluster().request(A, "m2");
    await clock.pass(1_000);
    expect([cluster().where(A), cluster().isRequested(A)]).toEqual([on("m2"), false]);
  });
  it("is removed when its move is given up", async () => {
    await onFirst([A], OVERLAP);
    cluster().fates.set(`m2 ${A}`, "failed");
    start();
    await cluster().request(A, "m2");
    await clock.pass(2_000);
    expect([cluster().where(A), cluster().isRequested(A)]).toEqual([on("m1"), false]);
  });
  it("is removed by a leader only", async () => {
    await onFirst();
    const { etcd } = start();
    await clock.pass(100);
    const { txn } = etcd;
    const removed: boolean[] = [];
    vi.spyOn(etcd, "txn").mockImplementation(async (compares, ops, otherwise) => {
      const isRemoval = ops.some((op) => "delete" in op && op.delete === registry().keys.move(A));
      if (isRemoval && removed.length === 0) await cluster().write({ delete: registry().keys.leader() });
      const result = await txn.call(etcd, compares, ops, otherwise);
      if (isRemoval) removed.push(result.succeeded);
      return result;
    });
    await cluster().request(A, "m2");
    await clock.pass(1_000);
    expect(removed[0]).toBe(false);
  });
  it("of a unit that is there already, or is not there at all, is removed", async () => {
    await onFirst();
    start();
    await cluster().request(A, "m1");
    await cluster().request("nobody.service", "m1");
    await clock.pass(1_000);
    expect([cluster().isRequested(A), cluster().isRequested("nobody.service")]).toEqual([false, false]);
  });
  it("that was made anew while the one before ended is not removed with that one", async () => {
    await onFirst([A], OVERLAP);
    await cluster().join("m3");
    cluster().fates.set(`m2 ${A}`, "starting");
    const { etcd } = start();
    await cluster().request(A, "m2");
    await clock.pass(1_000);
    const { txn } = etcd;
    let isRenewed = false;
    vi.spyOn(etcd, "txn").mockImplementation(async (compares, ops, otherwise) => {
      if (!isRenewed && ops.some((op) => "delete" in op && op.delete === registry().keys.move(A))) {
        isRenewed = true;
        await cluster().request(A, "m3");
      }
      return txn.call(etcd, compares, ops, otherwise);
    });
    await cluster().turn("m2", A, "up");
    await clock.pass(2_000);
    expect([isRenewed, cluster().where(A), cluster().isRequested(A)]).toEqual([true, on("m3"), false]);
  });
  it("that could not be removed while the engine might not act is removed later", async () => {
    await onFirst([A], OVERLAP);
    cluster().fates.set(`m2 ${A}`, "failed");
    const { etcd, engine } = start();
    const { txn } = etcd;
    const { keys } = registry();
    let failures = 0;
    vi.spyOn(etcd, "txn").mockImplementation(async (compares, ops, otherwise) => {
      if (failures < 2 && ops.some((op) => "delete" in op && op.delete === keys.move(A))) {
        failures++;
        return { succeeded: false, revision: 1, gets: [] };
      }
      return txn.call(etcd, compares, ops, otherwise);
    });
    await cluster().request(A, "m2");
    await clock.pass(2_000);
    expect([failures, cluster().isRequested(A)]).toEqual([1, true]);
    await clock.pass(3 * MOVE_LIMITS.rest);
    expect([failures, cluster().isRequested(A), engine.isLeading()]).toEqual([2, false, true]);
  });
});

describe("a move that is interrupted", () => {
  it("is gone on with by another engine, from the record", async () => {
    await onFirst();
    await cluster().turn("m1", A, "stuck");
    const first = start("e1");
    await clock.pass(100);
    const second = start("e2");
    await cluster().drain("m1");
    await clock.pass(1_000);
    expect(cluster().where(A)).toMatchObject({ kind: "leaving" });
    const stopped = first.engine.stop();
    await clock.pass(5_000);
    await stopped;
    expect([second.engine.isLeading(), second.moving()]).toEqual([true, [A]]);
    await cluster().turn("m1", A, "up");
    await clock.pass(1_000);
    expect(cluster().where(A)).toEqual(on("m2"));
  });
  it("by etcd is tried again after a pause", async () => {
    await onFirst();
    const { etcd, said, moving } = start();
    await clock.pass(100);
    etcd.fail("txn", "unavailable", 1);
    await cluster().drain("m1");
    await clock.pass(MOVE_LIMITS.retry - 500);
    expect([cluster().where(A), moving()]).toEqual([on("m1"), []]);
    expect(said.join()).toContain("moving was interrupted and is tried again");
    await clock.pass(2_000);
    expect(cluster().where(A)).toEqual(on("m2"));
  });
  it("by a lost race is tried again a bounded number of times, and then left alone for a while", async () => {
    await onFirst();
    const { etcd } = start();
    await clock.pass(100);
    const sent = etcd.txns.length;
    // Nobody understands what somebody has written: the engine's view keeps an older revision.
    await cluster().write({ put: registry().keys.unit(A), value: "{broken" });
    await cluster().drain("m1");
    await clock.pass(MOVE_LIMITS.retry - 1_000);
    expect(etcd.txns.slice(sent).map(({ succeeded }) => succeeded)).toEqual([false, false, false, false]);
  });
  it("by its leadership's end writes nothing, however late its write arrives", async () => {
    await onFirst();
    const started = start();
    await clock.pass(100);
    const goOn = heldWrites(started, A, "request");
    await cluster().drain("m1");
    await clock.pass(100);
    const sent = started.etcd.txns.length;
    await cluster().write({ delete: registry().keys.leader() });
    goOn();
    await clock.pass(1);
    expect(started.etcd.txns.slice(sent).map(({ succeeded }) => succeeded)).toContain(false);
    expect(cluster().where(A)).toEqual(on("m1"));
  });
  it.each(["request", "answer"] as const)(
    "is let go when the engine may not act for long, also while a write waits for its %s",
    async (place) => {
      await onFirst();
      await cluster().turn("m1", A, "stuck");
      const started = start();
      const { engine, etcd, moving } = started;
      await clock.pass(100);
      const goOn = heldWrites(started, A, place);
      await cluster().drain("m1");
      await clock.pass(100);
      engine.reload(engineConfig({ disableEngine: true }));
      await clock.pass(MOVE_LIMITS.deposed - 1_000);
      expect(moving()).toEqual([A]);
      await clock.pass(2_000);
      expect([engine.isLeading(), moving()]).toEqual([false, []]);
      goOn();
      await clock.pass(2_000);
      expect([moving(), etcd.watching]).toEqual([[], 1]);
      engine.reload(engineConfig());
      await clock.pass(1_000);
      expect([moving(), cluster().where(A)]).toMatchObject([[A], { kind: "leaving" }]);
      await cluster().turn("m1", A, "up");
      await clock.pass(1_000);
      expect([moving(), cluster().where(A), etcd.watching]).toEqual([[], on("m2"), 1]);
    },
  );
  it("and begun anew is not touched by what becomes of its earlier write", async () => {
    await onFirst();
    await cluster().turn("m1", A, "stuck");
    const started = start();
    const { engine, moving, said } = started;
    await clock.pass(100);
    const goOn = heldWrites(started, A, "error");
    await cluster().drain("m1");
    await clock.pass(100);
    engine.reload(engineConfig({ disableEngine: true }));
    await clock.pass(MOVE_LIMITS.deposed + 1_000);
    engine.reload(engineConfig());
    await clock.pass(1_000);
    goOn();
    await clock.pass(100);
    expect([moving(), said.join()]).toEqual([[A], expect.stringContaining("moving was interrupted")]);
  });
});

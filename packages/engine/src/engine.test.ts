import { NOWHERE, type Placed } from "@fleet/domain/whereabouts";
import { describe, expect, it, vi } from "vitest";
import { ENGINE_VERSION } from "./engine.ts";
import { engineConfig, PLAIN } from "./testing/simulated-cluster.ts";
import { engineTest } from "./testing/simulated-engine.ts";

const { clock, cluster, registry, start } = engineTest();
const on = (machine: string): Placed => ({ kind: "placed", on: machine });
const A = "a.service";
/** What nobody fits. */
const MISFIT = `${PLAIN}[X-Fleet]\nMachineID=nowhere\n`;

describe("an engine", () => {
  it("leads when nobody does, and places what users want", async () => {
    await cluster().join("m1", "m2");
    await cluster().unit(A);
    const { engine, heard, said } = start();
    await clock.pass(100);
    expect([engine.isLeading(), cluster().where(A)]).toEqual([true, on("m1")]);
    expect(heard).toEqual(["leads", "AttemptScheduleUnit done"]);
    expect(said).toEqual(["this engine leads the cluster", "scheduled"]);
  });
  it("takes a unit that is not wanted any more off its machine", async () => {
    await cluster().join("m1");
    await cluster().unit(A, on("m1"));
    const { heard } = start();
    await clock.pass(100);
    await cluster().set(A, "inactive");
    await clock.pass(100);
    expect([cluster().where(A), heard.at(-1)]).toEqual([NOWHERE, "UnscheduleUnit done"]);
  });
  it("places units of a lost machine on another", async () => {
    await cluster().join("m1", "m2");
    await cluster().unit(A, on("m1"));
    start();
    await clock.pass(100);
    await cluster().lose("m1", A);
    await clock.pass(100);
    expect(cluster().where(A)).toEqual(on("m2"));
  });
  it("acts on nothing before its view of the cluster is whole", async () => {
    await cluster().join("m1");
    await cluster().unit(A);
    const { etcd, engine } = start();
    const { range } = etcd;
    const gate = Promise.withResolvers<void>();
    // Machines come, the list of units does not: the whole cluster might seem to have no units.
    vi.spyOn(etcd, "range").mockImplementation(async (asked, options) => {
      if (asked.start <= registry().keys.unit(A) && registry().keys.unit(A) < asked.end) await gate.promise;
      return range.call(etcd, asked, options);
    });
    await clock.pass(5_000);
    expect([engine.isLeading(), etcd.txns, etcd.asked.get("grantLease")]).toEqual([false, [], undefined]);
    gate.resolve();
    await clock.pass(5_000);
    expect([engine.isLeading(), cluster().where(A)]).toEqual([true, on("m1")]);
  });
  it("says once of a unit that fits nowhere why, and again when it waits anew", async () => {
    await cluster().join("m1");
    await cluster().unit(A, NOWHERE, MISFIT);
    const { said } = start();
    const told = (): number =>
      said.filter((message) => message.startsWith(`unit ${A} is pending: none of 1 machines fits`)).length;
    await clock.pass(30_000);
    expect(told()).toBe(1);
    await cluster().unit(A);
    await clock.pass(100);
    expect(cluster().where(A)).toEqual(on("m1"));
    await cluster().unit(A, NOWHERE, MISFIT);
    await clock.pass(5_000);
    expect(told()).toBe(2);
    for (const desiredState of ["inactive", "launched"] as const) {
      await registry().unitWriter().submit({ kind: "set", name: A, options: null, desiredState });
      await clock.pass(5_000);
    }
    expect(told()).toBe(3);
  });
  it("shows in its snapshot who waits, and why", async () => {
    await cluster().unit(A);
    const { engine } = start();
    await clock.pass(100);
    expect(engine.snapshot()).toMatchObject({ isLeading: true, units: 1, waiting: [{ name: A, machines: 0 }] });
  });
  it("goes on after etcd was away", async () => {
    await cluster().join("m1");
    const { etcd, heard, said } = start();
    await clock.pass(100);
    etcd.fail("txn", "unavailable");
    await cluster().unit(A);
    await clock.pass(1_000);
    expect([heard.includes("failed"), heard.includes("AttemptScheduleUnit lost")]).toEqual([true, true]);
    expect(said.join()).toContain("reconciling failed and is tried again");
    etcd.fail("txn", null);
    await clock.pass(10_000);
    expect(cluster().where(A)).toEqual(on("m1"));
  });
  it("tells how many units there are", async () => {
    const { counts } = start();
    await cluster().unit(["a.service", "b.service", "c.service"]);
    await clock.pass(100);
    expect(counts.at(-1)).toBe(3);
  });
});

describe("an engine beside others", () => {
  it("stands by, and takes over when the leader steps down", async () => {
    const first = start("e1");
    await clock.pass(100);
    const second = start("e2");
    await clock.pass(30_000);
    expect([first.engine.isLeading(), second.engine.isLeading()]).toEqual([true, false]);
    const stopped = first.engine.stop();
    await clock.pass(100);
    await stopped;
    expect([first.engine.isLeading(), second.engine.isLeading()]).toEqual([false, true]);
    expect([first.heard, second.heard]).toEqual([["leads", "leads no more"], ["leads"]]);
  });
  it("takes over when the leader is silent, which has stopped acting by then, and writes nothing when it comes back", async () => {
    await cluster().join("m1");
    const first = start("e1");
    await clock.pass(100);
    const second = start("e2");
    await clock.pass(100);
    // Cut off in both ways, while a decision is on its way.
    first.etcd.hold("txn", "request");
    await cluster().unit(A);
    await clock.pass(1);
    first.etcd.hold("all", "request");
    first.etcd.hold("watch");
    await clock.pass(15_000);
    expect(second.engine.isLeading()).toBe(true);
    const sent = first.etcd.txns.length;
    first.etcd.release();
    await clock.pass(10_000);
    expect(first.etcd.txns.slice(sent).filter(({ succeeded, ops }) => succeeded && ops.length > 0)).toEqual([]);
    expect([first.engine.isLeading(), first.heard.at(-1)]).toEqual([false, "leads no more"]);
  });
  it("stops acting when its lease was not confirmed for so long that it might end under a write", async () => {
    await cluster().join("m1");
    const { etcd, engine } = start();
    await clock.pass(100);
    etcd.fail("keepLeaseAlive", "unavailable");
    // The lease lives 10 s, and a request takes 1 s at most.
    await clock.pass(9_000);
    expect(engine.isLeading()).toBe(true);
    const sent = etcd.txns.length;
    await cluster().unit(A);
    await clock.pass(600);
    expect([etcd.txns.length, cluster().where(A)]).toEqual([sent, NOWHERE]);
    etcd.fail("keepLeaseAlive", null);
    await clock.pass(2_000);
    expect(cluster().where(A)).toEqual(on("m1"));
  });
  it("leads no more when its key in etcd is gone, and leads anew", async () => {
    const { engine, heard, said } = start();
    await clock.pass(100);
    await cluster().unit(A); // its view of units and of leaders is then of the time when it led
    await clock.pass(100);
    await cluster().write({ delete: registry().keys.leader() });
    await clock.pass(100);
    expect(heard).toEqual(["leads", "leads no more", "leads"]);
    expect([engine.isLeading(), said]).toEqual([
      true,
      expect.arrayContaining(["this engine no longer leads: its key in etcd is gone"]),
    ]);
  });
  it("never leads where a newer version has led, and says so once", async () => {
    await cluster().write({ put: registry().keys.engineVersion(), value: String(ENGINE_VERSION + 1) });
    const { engine, etcd, said } = start();
    await clock.pass(60_000);
    expect([engine.isLeading(), etcd.txns.length, said.length]).toEqual([false, 0, 1]);
    expect(said[0]).toContain(`an engine of version ${ENGINE_VERSION + 1} has led this cluster`);
  });
  it("never leads where the newest engine's version can't be read, and says so once", async () => {
    await cluster().write({ put: registry().keys.engineVersion(), value: "three" });
    const { engine, etcd, said } = start();
    await clock.pass(60_000);
    expect([engine.isLeading(), etcd.txns.length, said.length]).toEqual([false, 0, 1]);
    expect(said[0]).toContain("can't be read");
  });
  it("leaves units where they are whose machine's record can't be read", async () => {
    await cluster().join("m1", "m2");
    await cluster().unit(A, on("m1"));
    await cluster().write({ put: registry().keys.machine("m1"), value: "v3" });
    const { engine } = start();
    await clock.pass(60_000);
    expect([engine.isLeading(), cluster().where(A)]).toEqual([true, on("m1")]);
  });
  it("notes once since when a machine is lost, and not of one that is here", async () => {
    await cluster().join("m1", "m2");
    for (const id of ["m1", "m2"])
      await cluster().write({
        put: registry().keys.knownMachine(id),
        value: JSON.stringify({ primaryIP: "192.0.2.1" }),
      });
    const { etcd } = start();
    await clock.pass(100);
    await cluster().lose("m1");
    await clock.pass(100);
    const lost = async () => {
      const range = { start: registry().keys.knownMachine(""), end: registry().keys.knownMachine("~") };
      return (await registry().etcd.range(range)).keyValues.map(({ value }) => JSON.parse(value) as object);
    };
    const noted = await lost();
    expect(noted).toEqual([
      { primaryIP: "192.0.2.1", lostSince: expect.stringMatching(/^\d{4}-/) },
      { primaryIP: "192.0.2.1" },
    ]);
    const writes = etcd.txns.length;
    await clock.pass(60_000);
    expect([await lost(), etcd.txns.length]).toEqual([noted, writes]);
  });
  it("steps down when it is disabled, and leads again when it is not", async () => {
    const { engine, said } = start();
    await clock.pass(100);
    engine.reload(engineConfig({ disableEngine: true }));
    await clock.pass(100);
    expect([engine.isLeading(), said.at(-1)]).toEqual([false, "this engine has stepped down"]);
    const second = start("e2");
    await clock.pass(100);
    expect(second.engine.isLeading()).toBe(true);
    const stopped = second.engine.stop();
    await clock.pass(100);
    await stopped;
    engine.reload(engineConfig());
    await clock.pass(100);
    expect(engine.isLeading()).toBe(true);
  });
});

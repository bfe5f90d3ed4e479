import type { Compare, Op } from "@fleet/domain/cluster";
import { describe, expect, it, vi } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { changeMetadata } from "./dynamic-metadata.ts";
import { cordonMachine, requestMoves, uncordonMachine } from "./maintenance.ts";

const clock = fakeClock();
const { etcd, registry } = fakeRegistry();

const keys = () => registry().keys;
const value = (key: string): string | null => etcd().store.value(key);
const OPTIONS = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
const set = (desiredState: "launched" | "inactive") =>
  ({ kind: "set", name: "a.service", options: OPTIONS, desiredState }) as const;
const drain = { drain: true, since: new Date(0) };

/** Lets time pass until something is done. */
const passing = async <T>(work: Promise<T>): Promise<T> => {
  await clock.pass(1_000);
  return work;
};
/** Carries something out, and returns what has it arrive a second time, late. */
const arrivingAgain = async (work: () => Promise<unknown>): Promise<() => Promise<boolean>> => {
  const sent: { compares: readonly Compare[]; ops: readonly Op[] }[] = [];
  const { txn } = etcd();
  const spy = vi.spyOn(etcd(), "txn").mockImplementation((compares, ops, otherwise) => {
    if (ops.some((op) => !("get" in op))) sent.push({ compares, ops });
    return txn.call(etcd(), compares, ops, otherwise);
  });
  await work();
  spy.mockRestore();
  return async () => {
    const results = await Promise.all(sent.map(({ compares, ops }) => etcd().connect().txn(compares, ops)));
    return results.some(({ succeeded }) => succeeded);
  };
};

describe("a write that arrives a second time, late", () => {
  it("creates no unit again that was destroyed meanwhile", async () => {
    const writer = registry().unitWriter();
    const again = await arrivingAgain(() => writer.submit(set("launched")));
    await writer.submit({ kind: "destroy", name: "a.service" });
    expect([await again(), value(keys().unit("a.service"))]).toEqual([false, null]);
  });
  it("creates no unit again that was destroyed by one who trusts a memory, among others", async () => {
    const again = await arrivingAgain(() =>
      passing(
        registry()
          .unitWriter(() => null)
          .submit(set("launched")),
      ),
    );
    const known = (await registry().units(["a.service"])).get("a.service") ?? expect.unreachable();
    const remembering = registry().unitWriter(() => ({ record: known, text: null }));
    await passing(remembering.submit({ kind: "destroy", name: "a.service" }));
    expect([await again(), value(keys().unit("a.service"))]).toEqual([false, null]);
  });
  it("cordons no machine again that was uncordoned meanwhile", async () => {
    const again = await arrivingAgain(() => cordonMachine(etcd(), keys(), "m1", drain));
    await uncordonMachine(etcd(), keys(), "m1");
    expect([await again(), value(keys().cordon("m1"))]).toEqual([false, null]);
  });
  it("uncordons no machine that was cordoned again", async () => {
    await cordonMachine(etcd(), keys(), "m1", drain);
    const again = await arrivingAgain(() => uncordonMachine(etcd(), keys(), "m1"));
    await cordonMachine(etcd(), keys(), "m1", drain);
    expect(await again()).toBe(false);
    expect(value(keys().cordon("m1"))).not.toBeNull();
  });
  it("takes no label back to what it was", async () => {
    const change = (text: string) => changeMetadata(etcd(), keys(), [{ machineID: "m1", key: "disk", value: text }]);
    const again = await arrivingAgain(() => change("ssd"));
    await change("");
    expect([await again(), value(keys().machineMetadata("m1", "disk"))]).toEqual([false, ""]);
  });
  it("asks for no other move than the later one", async () => {
    const ask = (to: string) => requestMoves(etcd(), keys(), [{ unit: "a.service", to, limit: 1, reason: "" }]);
    const again = await arrivingAgain(() => ask("m1"));
    await ask("m2");
    expect(await again()).toBe(false);
    expect(value(keys().move("a.service"))).toContain("m2");
  });
});

describe("writes that are asked for", () => {
  it("replace what is there, whoever is faster", async () => {
    const slow = etcd().connect();
    slow.hold("txn");
    const late = cordonMachine(slow, keys(), "m1", drain);
    await clock.pass(1);
    await cordonMachine(etcd(), keys(), "m1", { ...drain, drain: false });
    slow.release();
    await clock.pass(10_000);
    await late;
    expect(value(keys().cordon("m1"))).toContain('"drain":true');
  });
  it("are as many as anybody likes, and say which revision holds them", async () => {
    const labels = Array.from({ length: 300 }, (_, index) => ({ machineID: "m1", key: `k${index}`, value: "v" }));
    expect(await changeMetadata(etcd(), keys(), labels)).toBe(etcd().store.revision);
    expect(value(keys().machineMetadata("m1", "k299"))).toBe("v");
    expect(await changeMetadata(etcd(), keys(), [])).toBe(0);
  });
  it("leave at most 256 notes of what was deleted", async () => {
    const writer = registry().unitWriter();
    for (let index = 0; index < 600; index++) {
      await cordonMachine(etcd(), keys(), `m${index}`, drain);
      await uncordonMachine(etcd(), keys(), `m${index}`);
    }
    await writer.submit(set("inactive"));
    const { count } = await etcd().range({ start: keys().deletion("00"), end: keys().deletion("zz") });
    expect(count).toBeLessThanOrEqual(256);
    expect(count).toBeGreaterThan(200);
  });
});

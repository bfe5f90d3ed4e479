import { afterEach, describe, expect, it, vi } from "vitest";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { ApiPresence } from "./presence.ts";

const fake = fakeRegistry();
const RECORD = { id: "a1", address: "10.0.0.1:1", certificate: "CERTIFICATE" };
const silent = { debug() {}, warn() {} };

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function presenceOfApi(): ApiPresence {
  const presence = new ApiPresence(fake.registry(), RECORD, silent);
  fake.stopping().signal.addEventListener("abort", () => void presence.close(), { once: true });
  return presence;
}

const callOf = (id: string) => ({ id, api: "a1", secret: "s" });

/** Writes of the API's own key, each with its lease. */
function entries(): readonly (string | undefined)[] {
  const key = fake.registry().keys.of("link-api", "a1");
  return fake
    .etcd()
    .txns.flatMap(({ ops }) => ops)
    .flatMap((op) => ("put" in op && op.put === key ? [op.lease] : []));
}

async function isThere(): Promise<boolean> {
  const key = fake.registry().keys.of("link-api", "a1");
  const { keyValues } = await fake
    .etcd()
    .connect()
    .range({ start: key, end: `${key}\0` });
  return keyValues.length === 1;
}

describe("an API's key in etcd", () => {
  it("is written once where several machines are asked at once", async () => {
    const presence = presenceOfApi();
    fake.etcd().hold("grantLease");
    const calls = ["1", "2", "3", "4", "5"].map((id) => presence.call("m1", callOf(id)));
    fake.etcd().release("grantLease");
    await Promise.all(calls);
    await presence.call("m1", callOf("6"));
    expect(entries()).toHaveLength(1);
    expect(await isThere()).toBe(true);
  });

  it("is written with the first calls, in one transaction, and further calls travel together", async () => {
    const presence = presenceOfApi();
    await Promise.all(["1", "2", "3"].map((id) => presence.call("m1", callOf(id))));
    expect(fake.etcd().txns.map(({ ops }) => ops.length)).toEqual([4]);
    await Promise.all(Array.from({ length: 250 }, (_, id) => presence.call("m1", callOf(`b${id}`))));
    expect(fake.etcd().txns.map(({ ops }) => ops.length)).toEqual([4, 100, 100, 50]);
  });

  it("is there before any call of it", async () => {
    const presence = presenceOfApi();
    await Promise.all(Array.from({ length: 150 }, (_, id) => presence.call("m1", callOf(`${id}`))));
    const written = fake.etcd().txns.flatMap(({ ops }) => ops.flatMap((op) => ("put" in op ? [op.put] : [])));
    expect(written[0]).toBe(fake.registry().keys.of("link-api", "a1"));
    expect(written).toHaveLength(151);
  });

  it("is written by the next question where etcd did not answer the first ones", async () => {
    const presence = presenceOfApi();
    fake.etcd().fail("txn", "unavailable");
    const calls = await Promise.allSettled(["1", "2"].map((id) => presence.call("m1", callOf(id))));
    expect(calls.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    fake.etcd().fail("txn", null);
    await presence.call("m1", callOf("3"));
    expect(await isThere()).toBe(true);
  });

  it("is written anew where its lease may have ended", async () => {
    const presence = presenceOfApi();
    await presence.call("m1", callOf("1"));
    const [lease = ""] = entries();
    fake.etcd().expireLease(lease);
    expect(await isThere()).toBe(false);
    const now = performance.now();
    vi.spyOn(performance, "now").mockImplementation(() => now + 31_000);
    await presence.call("m1", callOf("2"));
    expect(await isThere()).toBe(true);
  });

  it("goes after a minute without a question, and comes with the next one", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const presence = presenceOfApi();
    await presence.call("m1", callOf("1"));
    vi.advanceTimersByTime(59_000);
    await presence.call("m1", callOf("2"));
    vi.advanceTimersByTime(59_000);
    expect(await isThere()).toBe(true);
    vi.advanceTimersByTime(2_000);
    vi.useRealTimers();
    await expect.poll(isThere).toBe(false);
    await presence.call("m1", callOf("3"));
    expect(await isThere()).toBe(true);
  });

  it("stays where a question comes while the API leaves", async () => {
    const presence = presenceOfApi();
    await presence.call("m1", callOf("1"));
    fake.etcd().hold("revokeLease", "request");
    const closed = presence.close();
    const called = presence.call("m1", callOf("2"));
    await expect.poll(() => fake.etcd().asked.get("revokeLease")).toBe(1);
    fake.etcd().release("revokeLease");
    await Promise.all([closed, called]);
    expect(await isThere()).toBe(true);
  });

  it("is gone where the API leaves while the key is on its way", async () => {
    const presence = presenceOfApi();
    fake.etcd().hold("grantLease");
    const called = presence.call("m1", callOf("1"));
    const closed = presence.close();
    fake.etcd().release("grantLease");
    await Promise.all([called, closed]);
    expect(await isThere()).toBe(false);
  });
});

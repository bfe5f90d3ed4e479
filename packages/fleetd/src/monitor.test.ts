import { Keys, RegistryError } from "@fleet/domain/cluster";
import type { Etcd } from "@fleet/registry";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Monitor } from "./monitor.ts";

const TTL_MS = 30_000;
const TRIGGERED = "Server monitor triggered: Monitor timed out before successful heartbeat";

/** Null: etcd answers. */
let failure: Error | null;
let asked: number;
let said: string[];
let stopping: AbortController;
let done: Promise<void>;
let monitor: Monitor;

const etcd: Pick<Etcd, "range"> = {
  range: async () => {
    asked++;
    if (failure !== null) throw failure;
    return { keyValues: [], count: 0, more: false, revision: 1 };
  },
};
const log = {
  info: (text: string) => said.push(`info: ${text}`),
  error: (text: string) => said.push(`error: ${text}`),
};

beforeEach(() => {
  vi.useFakeTimers();
  // Pauses between tries are half left to chance.
  vi.spyOn(Math, "random").mockReturnValue(0);
  failure = null;
  asked = 0;
  said = [];
  stopping = new AbortController();
  monitor = new Monitor(etcd as Etcd, new Keys("/monitor/"), TTL_MS, log as never);
  done = monitor.run(stopping.signal);
});
afterEach(async () => {
  stopping.abort();
  await done;
  vi.useRealTimers();
});

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

describe("the monitor of etcd", () => {
  it("asks etcd six times within agent_ttl, and says nothing while it answers", async () => {
    await pass(TTL_MS - 1);
    expect(asked).toBe(6);
    expect([monitor.isHealthy, said]).toEqual([true, []]);
    expect(monitor.silentMs).toBeLessThanOrEqual(TTL_MS / 6);
  });
  it("takes etcd as usable until it has been silent for a third of agent_ttl", async () => {
    await pass(0);
    failure = new RegistryError("unavailable", "etcd can't be reached");
    await pass(TTL_MS / 3 - 100);
    expect(monitor.isHealthy).toBe(true);
    await pass(TTL_MS / 6);
    expect(monitor.isHealthy).toBe(false);
    expect(monitor.silentMs).toBeGreaterThan(TTL_MS / 3);
  });
  it("says a trouble and that it was triggered once each, however often it tries", async () => {
    failure = new RegistryError("unavailable", "etcd can't be reached");
    await pass(10 * TTL_MS);
    expect(asked).toBeGreaterThan(20);
    expect(said).toEqual(["error: etcd can't be reached; trying again, units go on running", `error: ${TRIGGERED}`]);
  });
  it("is healthy again with the first answer, and says so", async () => {
    failure = new Error("no answer");
    await pass(TTL_MS);
    failure = null;
    await pass(TTL_MS / 6);
    expect(monitor.isHealthy).toBe(true);
    expect(said.at(-1)).toBe("info: etcd answers again");
    said = [];
    failure = new Error("no answer");
    await pass(TTL_MS);
    expect([monitor.isHealthy, said]).toEqual([
      false,
      ["error: no answer; trying again, units go on running", `error: ${TRIGGERED}`],
    ]);
  });
  it("stays healthy through a failure that is over in time", async () => {
    await pass(0);
    failure = new Error("no answer");
    await pass(TTL_MS / 4);
    failure = null;
    await pass(TTL_MS / 6);
    expect(said).toEqual(["error: no answer; trying again, units go on running", "info: etcd answers again"]);
    expect(monitor.isHealthy).toBe(true);
  });
  it("ends at once when it is told to", async () => {
    await pass(0);
    stopping.abort();
    await done;
    await pass(TTL_MS);
    expect(asked).toBe(1);
  });
});

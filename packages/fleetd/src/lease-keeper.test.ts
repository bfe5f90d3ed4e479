import { RegistryError } from "@fleet/domain/cluster";
import { beforeEach, describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const TTL_MS = 10_000;
const MOST_HELD_MS = 120_000;
const clock = fakeClock();

let asked: number;
let answer: () => Promise<number>;
let keeper: LeaseKeeper;
beforeEach(() => {
  asked = 0;
  answer = async () => TTL_MS / 1000;
  keeper = new LeaseKeeper(() => {
    asked++;
    return answer();
  }, MOST_HELD_MS);
});

describe("the keeper of a lease", () => {
  it("asks etcd no oftener than the loop does, while that asks in time", async () => {
    for (let times = 1; times <= 20; times++) {
      expect(await keeper.keepAlive("a", TTL_MS)).toBe(10);
      await clock.pass(TTL_MS / 2);
      expect(asked).toBe(times);
    }
  });
  it("asks by itself at six tenths of the time to live, and then at half of it, while the loop is held up", async () => {
    await keeper.keepAlive("a", TTL_MS);
    await clock.pass(5_999);
    expect(asked).toBe(1);
    await clock.pass(1);
    expect(asked).toBe(2);
    await clock.pass(50_000);
    expect(asked).toBe(12);
  });
  it("leaves the lease to itself when the loop has been silent for too long", async () => {
    await keeper.keepAlive("a", TTL_MS);
    await clock.pass(MOST_HELD_MS + TTL_MS);
    const before = asked;
    await clock.pass(10 * TTL_MS);
    expect(asked).toBe(before);
    await keeper.keepAlive("a", TTL_MS);
    await clock.pass(TTL_MS * 0.6);
    expect(asked).toBe(before + 2);
  });
  it("tries again soon where etcd does not answer, and tells the loop only of its own questions", async () => {
    await keeper.keepAlive("a", TTL_MS);
    answer = () => Promise.reject(new RegistryError("unavailable", "etcd can't be reached"));
    await clock.pass(6_000 + 10 * 500);
    expect(asked).toBe(12);
    await expect(keeper.keepAlive("a", TTL_MS)).rejects.toThrow("etcd can't be reached");
  });
  it("asks no more for a lease that etcd calls gone, or that was dropped", async () => {
    await keeper.keepAlive("a", TTL_MS);
    answer = async () => 0;
    await clock.pass(10 * TTL_MS);
    expect(asked).toBe(2);
    expect(await keeper.keepAlive("b", TTL_MS)).toBe(0);
    await clock.pass(TTL_MS);
    expect(asked).toBe(3);
    answer = async () => 10;
    await keeper.keepAlive("c", TTL_MS);
    keeper.drop("c");
    await clock.pass(TTL_MS);
    expect(asked).toBe(4);
  });
  it("does not go on with a lease that was dropped while etcd was asked", async () => {
    await keeper.keepAlive("a", TTL_MS);
    const late = Promise.withResolvers<number>();
    answer = () => late.promise;
    await clock.pass(6_000);
    keeper.drop("a");
    late.resolve(10);
    await clock.pass(10 * TTL_MS);
    expect(asked).toBe(2);
  });
});

import { describe, expect, it } from "vitest";
import { BoundedCache } from "./bounded-cache.ts";

describe("a bounded cache", () => {
  it("makes a value once for as long as it is kept", () => {
    const cache = new BoundedCache<string, number>(2);
    let made = 0;
    const make = (): number => ++made;
    expect([cache.getOrMake("a", make), cache.getOrMake("a", make)]).toEqual([1, 1]);
    cache.delete("a");
    expect(cache.getOrMake("a", make)).toBe(2);
    cache.clear();
    expect(cache.getOrMake("a", make)).toBe(3);
  });
  it("never holds more than its capacity, and holds what came last", () => {
    const cache = new BoundedCache<number, number>(3);
    for (let key = 0; key < 100; key++) {
      cache.set(key, key);
      expect(cache.size).toBeLessThanOrEqual(3);
      expect(cache.get(key)).toBe(key);
    }
  });
  it("loses nothing where a known key is set anew in a full one", () => {
    const cache = new BoundedCache<string, number>(2);
    cache.set("a", 1);
    cache.set("b", 2);
    cache.set("b", 3);
    expect([cache.get("a"), cache.get("b")]).toEqual([1, 3]);
  });
  it("never weighs more than its capacity, but for a single value", () => {
    const cache = new BoundedCache<string, string>(10, (value) => value.length);
    cache.set("a", "12345");
    cache.set("b", "1234");
    cache.set("a", "123456");
    expect([cache.get("a"), cache.get("b")]).toEqual(["123456", "1234"]);
    cache.set("c", "1");
    expect([cache.get("a"), cache.get("c"), cache.size]).toEqual([undefined, "1", 1]);
    cache.delete("c");
    cache.delete("c");
    cache.set("d", "1234567890");
    expect([cache.get("d"), cache.size]).toEqual(["1234567890", 1]);
    cache.set("e", "12345678901");
    expect([cache.get("e"), cache.size]).toEqual(["12345678901", 1]);
  });
  it("keeps nothing of a value that could not be made", () => {
    const cache = new BoundedCache<string, number>(2);
    const fail = (): number => {
      throw new Error("no value");
    };
    expect(() => cache.getOrMake("a", fail)).toThrow("no value");
    expect([cache.get("a"), cache.size]).toEqual([undefined, 0]);
  });
});

import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { UnitTexts } from "./unit-texts.ts";

const clock = fakeClock();

/** Texts of which each is its hash ten times, and what was read. */
function textsOf(mostKept?: number) {
  const asked: (readonly string[])[] = [];
  const texts = new UnitTexts(async (hashes) => {
    asked.push(hashes);
    if (hashes.includes("away")) throw new Error("etcd is away");
    return new Map(hashes.filter((hash) => hash !== "none").map((hash) => [hash, hash.repeat(10)]));
  }, mostKept);
  return { texts, asked };
}

describe("texts of unit files", () => {
  it("are read once for all who ask at the same time", async () => {
    const { texts, asked } = textsOf();
    const [one, two] = await Promise.all([texts.find(["a", "b"]), texts.find(["b", "none"])]);
    expect([[...one.keys()], [...two.keys()], asked]).toEqual([["a", "b"], ["b"], [["a", "b", "none"]]]);
    expect([...(await texts.find(["a"])).values(), texts.get("b")]).toEqual(["aaaaaaaaaa", "bbbbbbbbbb"]);
    expect(asked).toHaveLength(1);
  });
  it("are handed over also where there is no room for them, and the latest are kept", async () => {
    const { texts } = textsOf(25);
    expect([...(await texts.find(["a", "b", "c"])).keys()]).toEqual(["a", "b", "c"]);
    expect([texts.get("a"), texts.get("b"), texts.get("c")]).toEqual([undefined, "b".repeat(10), "c".repeat(10)]);
  });
  it("that were just written need not be read", async () => {
    const { texts, asked } = textsOf();
    texts.keep("a", "written");
    expect([[...(await texts.find(["a"])).values()], asked]).toEqual([["written"], []]);
  });
  it("are refused to all who ask where etcd is away, and read the next time", async () => {
    const { texts } = textsOf();
    await expect(Promise.all([texts.find(["away"]), texts.find(["a"])])).rejects.toThrow("etcd is away");
    expect((await texts.find(["a"])).size).toBe(1);
  });
  it("that are expected are read in the background for as long as there is room", async () => {
    const { texts, asked } = textsOf(399);
    texts.expect(Array.from({ length: 100 }, (_, index) => String.fromCharCode(0x100 + index)));
    await clock.pass(4_999);
    expect(asked).toEqual([]);
    await clock.pass(10_000);
    expect(asked.map(({ length }) => length)).toEqual([32, 32]);
    expect(texts.get(String.fromCharCode(0x100 + 63))).toBeDefined();
  });
  it("that are expected while etcd is away are left out", async () => {
    const { texts } = textsOf();
    texts.expect(["away"]);
    await clock.pass(6_000);
    texts.expect(["a"]);
    await clock.pass(6_000);
    expect(texts.get("a")).toBe("a".repeat(10));
  });
});

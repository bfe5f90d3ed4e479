import { hashText } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import type { MirrorSettings } from "./registry.ts";

const clock = fakeClock();
const { etcd, registry, stopping } = fakeRegistry();

const PICKY = "[Service]\nExecStart=/bin/a\n[X-Fleet]\nStay=true\n";
const SECTION = "[X-Fleet]\nStay=true\n";
const HASH = hashText(PICKY);
const put = (key: string, value: string) =>
  etcd()
    .connect()
    .txn([], [{ put: key, value }]);
const writeFile = (text = PICKY) => put(registry().keys.unitFile(hashText(text)), text);
/** A record as a version before writes it. */
const writeUnit = (name: string, more: object = {}) =>
  put(registry().keys.unit(name), JSON.stringify({ hash: HASH, desiredState: "launched", ...more }));

/** A mirror as the engine's, in which no files are, and what it was told. */
async function follow(settings: Partial<MirrorSettings> = {}) {
  const troubles: string[] = [];
  const mirror = registry().mirror({
    ranges: registry().keys.engineRanges(),
    onTrouble: ({ code }) => troubles.push(code),
    ...settings,
  });
  const told: string[] = [];
  mirror.onChanges((changes) => {
    for (const change of changes) told.push(`${change.kind} ${"name" in change ? change.name : ""}`.trim());
  });
  void mirror.run(stopping().signal);
  await clock.pass(1);
  const sectionOf = (name: string) => mirror.state.sectionOf(name, mirror.state.units.get(name)?.hash ?? HASH);
  return { mirror, told, troubles, sectionOf };
}
const texts = (): number =>
  etcd()
    .txns.flatMap(({ ops }) => ops)
    .filter((op) => "get" in op && op.get.includes("/unit-files/")).length;

describe("a mirror without files", () => {
  it("reads no text where records tell the section, nor keeps one", async () => {
    await writeFile();
    await writeUnit("a.service", { section: "[X-Fleet]\nWeight=2\n" });
    const { mirror, sectionOf } = await follow();
    await writeUnit("b.service", { section: "" });
    await clock.pass(1);
    expect([sectionOf("a.service"), sectionOf("b.service")]).toEqual(["[X-Fleet]\nWeight=2\n", ""]);
    expect([texts(), mirror.state.unitFiles.size]).toEqual([0, 0]);
  });
  it.each([
    ["is listed", true],
    ["is watched", false],
  ])(
    "knows the section of a version before's record, which it reads once from the file, when that %s",
    async (_how, isFirst) => {
      await writeFile();
      if (isFirst) await writeUnit("a.service");
      const { sectionOf, mirror } = await follow();
      await writeUnit("a.service", { version: 7 });
      await writeUnit("b.service");
      await clock.pass(1);
      expect([sectionOf("a.service"), sectionOf("b.service"), texts()]).toEqual([SECTION, SECTION, 1]);
      expect(mirror.state.units.get("a.service")?.version).toBe(7);
    },
  );
  it("knows it of a record that can't be read otherwise", async () => {
    await writeFile();
    await writeUnit("a.service", { desiredState: "paused" });
    const { sectionOf, mirror } = await follow();
    expect([sectionOf("a.service"), mirror.state.isUnreadable("unit", "a.service")]).toEqual([SECTION, true]);
  });
  it("has a unit whose file is not there", async () => {
    await writeUnit("a.service");
    const { sectionOf, mirror } = await follow();
    expect([mirror.isReady, mirror.state.units.has("a.service"), sectionOf("a.service")]).toEqual([true, true, null]);
  });
  it("has a unit whose file can't be read", async () => {
    const broken = "[X-Fleet";
    await writeFile(broken);
    await writeUnit("a.service", { hash: hashText(broken) });
    const { mirror } = await follow();
    expect([mirror.isReady, mirror.state.sectionOf("a.service", hashText(broken))]).toEqual([true, null]);
  });
  it("tells later changes only after one that waits for its file, in their order", async () => {
    await writeFile();
    const { told, mirror } = await follow();
    etcd().hold("txn");
    await writeUnit("a.service");
    await writeUnit("b.service");
    await writeUnit("c.service", { section: "" });
    await clock.pass(1);
    expect([told, mirror.state.units.size]).toEqual([[], 0]);
    etcd().release();
    await clock.pass(1);
    expect(told).toEqual(["unit a.service", "unit b.service", "unit c.service"]);
  });
  it("reads on from where it was when the file could not be read", async () => {
    await writeFile();
    const { sectionOf, troubles, mirror } = await follow();
    await writeUnit("a.service", { section: "" });
    await clock.pass(1);
    etcd().fail("txn", "unavailable");
    await writeUnit("b.service");
    await writeUnit("c.service", { section: "" });
    await clock.pass(1_000);
    expect([sectionOf("b.service"), mirror.state.units.size, troubles]).toEqual([null, 1, ["unavailable"]]);
    etcd().fail("txn", null);
    await clock.pass(10_000);
    expect([sectionOf("b.service"), mirror.state.units.size, mirror.isConnected]).toEqual([SECTION, 3, true]);
  });
  it("finds what came while it did not follow", async () => {
    await writeFile();
    const { sectionOf } = await follow({ pollMs: 1_000 });
    await writeUnit("a.service");
    await clock.pass(1_001);
    expect(sectionOf("a.service")).toBe(SECTION);
  });
});

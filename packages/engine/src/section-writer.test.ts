import { hashText } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { lead } from "../../../testbed/led-registry.ts";
import { SectionWriter } from "./section-writer.ts";

const clock = fakeClock();
const test = fakeRegistry();
const { etcd, registry } = test;

const SECTION = "[X-Fleet]\nWeight=2\n";
const TEXT = `[Service]\nExecStart=/bin/a\n\n${SECTION}`;
const key = (name: string): string => registry().keys.unit(name);
const put = (at: string, value: string) =>
  etcd()
    .connect()
    .txn([], [{ put: at, value }]);
const write = (name: string, more: object = {}, text = TEXT) =>
  put(key(name), JSON.stringify({ hash: hashText(text), desiredState: "launched", ...more }));
const read = (name: string) => JSON.parse(etcd().store.value(key(name)) ?? "null");

/** An engine's place in a registry that has the file of its units, and who adds sections. */
async function leading(prepare: () => Promise<unknown>) {
  await put(registry().keys.unitFile(hashText(TEXT)), TEXT);
  await prepare();
  const led = lead(test, 60_000);
  await clock.pass(100);
  const { mirror, leadership } = await led;
  const writer = new SectionWriter(registry(), mirror);
  const add = async (): Promise<void> => {
    await writer.write(leadership);
    await clock.pass(1);
  };
  return { mirror, leadership, add };
}
const writes = (): number =>
  etcd().txns.filter(({ ops }) => ops.some((op) => "put" in op && op.put.includes("/units/"))).length;

describe("a record of a unit that a version before has written", () => {
  it("gets the section of its file, once, and keeps whatever else it has", async () => {
    const { mirror, add } = await leading(() => write("a.service", { machineID: "m1", later: { x: 1 } }));
    await add();
    expect(read("a.service")).toEqual({
      ...{ hash: hashText(TEXT), desiredState: "launched", machineID: "m1", later: { x: 1 }, section: SECTION },
    });
    await add();
    expect([writes(), mirror.sectionless.size]).toEqual([1, 0]);
  });
  it("gets it again after a version before has written it anew", async () => {
    const { add } = await leading(() => write("a.service"));
    await add();
    await write("a.service", { machineID: "m2" });
    await clock.pass(1);
    await add();
    expect(read("a.service")).toMatchObject({ machineID: "m2", section: SECTION });
  });
  it.each([
    ["has it already", { section: "" }, undefined],
    ["can't be read otherwise", { desiredState: "paused" }, undefined],
    ["has too long a section", {}, `[X-Fleet]\nConflicts=${"x".repeat(3_000)}\n`],
    ["has no file", {}, "not there"],
  ])("stays as it is where it %s", async (_what, more, text) => {
    const { add } = await leading(async () => {
      if (text?.startsWith("[") === true) await put(registry().keys.unitFile(hashText(text)), text);
      await write("a.service", more, text);
    });
    const before = etcd().store.value(key("a.service"));
    await add();
    expect([etcd().store.value(key("a.service")), writes()]).toEqual([before, 0]);
  });
  it("gets it a round later where another one changes at the same time", async () => {
    const { add } = await leading(async () => {
      await write("a.service");
      await write("b.service");
    });
    etcd().hold("txn", "answer");
    const adding = add();
    await clock.pass(1);
    await write("b.service", { machineID: "m2" });
    etcd().release();
    await adding;
    expect(read("a.service").section).toBeUndefined();
    await add();
    expect([read("a.service").section, read("b.service").section]).toEqual([SECTION, SECTION]);
  });
  it("is left to the engine that leads", async () => {
    const { add, leadership } = await leading(() => write("a.service"));
    await leadership.resign();
    await add();
    expect(read("a.service").section).toBeUndefined();
  });
  it("gets it together with others, a bounded number a round", async () => {
    const names = Array.from({ length: 620 }, (_, index) => `${index}.service`);
    const { add, mirror } = await leading(async () => {
      for (const name of names) await write(name);
    });
    await add();
    expect([writes(), mirror.sectionless.size]).toEqual([10, 120]);
    await add();
    expect(names.every((name) => read(name).section === SECTION)).toBe(true);
  });
});

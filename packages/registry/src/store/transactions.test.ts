import { describe, expect, it } from "vitest";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { inTransactions, readKeys } from "./transactions.ts";

const { etcd, registry } = fakeRegistry();

const keys = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `/test/k${index}`);
const puts = (count: number) => keys(count).map((key) => ({ put: key, value: key }));
const sizes = (): readonly number[] => etcd().txns.map(({ ops }) => ops.length);

describe("many operations", () => {
  it.each([
    [0, []],
    [1, [1]],
    [120, [120]],
    [121, [120, 1]],
    [300, [120, 120, 60]],
  ])("%d of them go in as few transactions as etcd takes", async (count, expected) => {
    const { succeeded, revision } = await inTransactions(etcd(), puts(count));
    expect(sizes()).toEqual(expected);
    expect([succeeded, revision]).toEqual([true, count === 0 ? 0 : etcd().store.revision]);
  });
  it("carry their conditions each time, and stop where these no longer hold", async () => {
    const { revision } = await etcd().txn([], [{ put: "/test/fence", value: "" }]);
    const fence = { key: "/test/fence", modRevision: revision };
    expect(await inTransactions(etcd(), puts(130), [fence])).toMatchObject({ succeeded: true });
    const taken = [{ delete: "/test/fence" }, ...puts(300)];
    expect(await inTransactions(etcd(), taken, [fence])).toMatchObject({ succeeded: false });
    expect(sizes()).toEqual([1, 120, 10, 120, 120]);
  });
  it("end with the first error", async () => {
    etcd().fail("txn", "unavailable", 1);
    await expect(inTransactions(etcd(), puts(300))).rejects.toMatchObject({ code: "unavailable" });
    expect(sizes()).toEqual([]);
  });
});

describe("many keys", () => {
  it("are read in the order in which they were asked for, null where there is none", async () => {
    await inTransactions(etcd(), puts(250));
    const wanted = [...keys(250).toReversed(), "/test/none"];
    const found = await readKeys(etcd(), wanted);
    expect(found.map((keyValue) => keyValue?.value ?? null)).toEqual([...keys(250).toReversed(), null]);
  });
});

describe("a registry", () => {
  it("says whether there is a key, and at which revision etcd is", async () => {
    const { revision } = await etcd().txn([], [{ put: "/test/units/a", value: "" }]);
    expect(await registry().has("/test/units/a")).toBe(true);
    expect(await registry().has("/test/units/")).toBe(false);
    expect(await registry().has("/test/units/a.service")).toBe(false);
    expect(await registry().reachedRevision()).toBe(revision);
  });
  it("reads the records of many units, and says so where one of them can't be read: it is there", async () => {
    const record = { hash: "h", desiredState: "loaded" };
    const names = Array.from({ length: 250 }, (_, index) => `u${index}.service`);
    const ops = names.map((name) => ({ put: registry().keys.unit(name), value: JSON.stringify(record) }));
    await inTransactions(etcd(), [...ops, { put: registry().keys.unit("broken.service"), value: "{" }]);
    await expect(registry().units([...names, "broken.service"])).rejects.toMatchObject({
      code: "unexpected",
      message: expect.stringContaining("/test/units/broken.service"),
    });
    const units = await registry().units([...names, "none.service"]);
    expect([...units.keys()]).toEqual(names);
    expect(units.get("u249.service")).toMatchObject({ desiredState: "loaded", modRevision: etcd().store.revision });
  });
});

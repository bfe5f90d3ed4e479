import { Keys } from "@fleet/domain/cluster";
import { expect, it } from "vitest";
import { FakeEtcd } from "../../../../testbed/fake-etcd.ts";
import { testRegistry } from "../../../../testbed/test-registry.ts";
import { changesBetween } from "./past-changes.ts";

const { registry, stopping } = testRegistry("past-changes");

const unit = (more: object = {}): string => JSON.stringify({ hash: "h", desiredState: "inactive", ...more });
const put = async (name: string, value = unit()): Promise<number> =>
  (await registry().etcd.txn([], [{ put: registry().keys.unit(name), value }])).revision;
const between = (from: number, to: number) =>
  changesBetween(
    { etcd: registry().etcd, keys: registry().keys, ranges: registry().keys.apiRanges() },
    from,
    to,
    stopping().signal,
  );

it("tells each change after one revision and up to another, with what was there before", async () => {
  const { etcd, keys } = registry();
  await put("kept.service");
  const from = await put("gone.service");
  const changed = await put("kept.service", unit({ machineID: "m1" }));
  await etcd.txn([], [{ put: keys.unitFile("h"), value: "a text" }]);
  await put("brief.service");
  // As fleet destroys units: with a note.
  const destroy = (name: string) =>
    etcd.txn([], [{ delete: keys.unit(name) }, { put: keys.deletion("aa"), value: keys.unit(name) }]);
  await destroy("brief.service");
  const { revision: to } = await destroy("gone.service");
  await put("later.service");
  const changes = await between(from, to);
  const told = changes.map((change) => [
    change.kind === "unit" ? change.name : change.kind,
    change.before !== null,
    change.after !== null,
  ]);
  expect(told).toEqual([
    ["kept.service", true, true],
    ["brief.service", false, true],
    ["brief.service", true, false],
    ["deletion", false, true],
    ["gone.service", true, false],
    ["deletion", true, true],
  ]);
  expect(changes[0]?.revision).toBe(changed);
});

it("is at an end where nothing of the part has changed, though etcd is at a later revision", async () => {
  const from = await put("a.service");
  const { revision: to } = await registry().etcd.txn([], [{ put: registry().keys.unitFile("h"), value: "a text" }]);
  expect(await between(from, to)).toEqual([]);
});

it("waits for the last change of a key that went, came back and went again", async () => {
  const { etcd, keys } = registry();
  const key = keys.state("m1", "a.service");
  const value = JSON.stringify({ hash: "h", current: "launched", load: "loaded", active: "active", sub: "running" });
  const { revision: from } = await etcd.txn([], [{ put: key, value }]);
  await etcd.txn([], [{ delete: key }]);
  await etcd.txn([], [{ put: key, value }]);
  const { revision: to } = await etcd.txn([], [{ delete: key }]);
  expect((await between(from, to)).map(({ after }) => after === null)).toEqual([true, false, true]);
});

it("is refused where etcd has compacted the past", async () => {
  const etcd = new FakeEtcd();
  const keys = new Keys("/test/");
  const write = async (name: string): Promise<number> =>
    (await etcd.txn([], [{ put: keys.unit(name), value: unit() }])).revision;
  const [from, to] = [await write("a.service"), await write("b.service")];
  etcd.compact();
  const past = changesBetween({ etcd, keys, ranges: keys.apiRanges() }, from, to, stopping().signal);
  await expect(past).rejects.toMatchObject({ code: "compacted" });
  etcd.store.close();
});

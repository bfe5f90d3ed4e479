import type { UnitOption } from "@fleet/domain/unit";
import { describe, expect, it } from "vitest";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { destroyUnknown } from "./unknown-units.ts";

const { etcd, registry } = fakeRegistry();
const options: UnitOption[] = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];
const submit = async (name: string): Promise<number> =>
  (await registry().unitWriter().submit({ kind: "set", name, options, desiredState: "launched" })).revision;
const destroy = async (name: string): Promise<number> =>
  (await registry().unitWriter().submit({ kind: "destroy", name })).revision;
/** Takes a record away as a restore does, with no trace. */
const lose = (name: string): Promise<unknown> => etcd().txn([], [{ delete: registry().keys.unit(name) }]);
const unknown = async (seenAt: number | null, ...names: readonly string[]): Promise<readonly string[]> => [
  ...(await registry().unknownUnits(names, seenAt)),
];

describe("a unit of which the registry has no record", () => {
  it("is unknown where nothing has destroyed it", async () => {
    await submit("a.service");
    const seenAt = await submit("b.service");
    await lose("b.service");
    expect(await unknown(seenAt, "a.service", "b.service", "c.service")).toEqual(["b.service", "c.service"]);
  });
  it("is not unknown where it was destroyed since it was seen", async () => {
    const seenAt = await submit("a.service");
    const destroyedAt = await destroy("a.service");
    expect([await unknown(seenAt, "a.service"), await unknown(destroyedAt, "a.service")]).toEqual([[], ["a.service"]]);
  });
  it("is unknown whatever was destroyed, where it was seen in another history of etcd", async () => {
    await submit("a.service");
    await destroy("a.service");
    expect(await unknown(null, "a.service")).toEqual(["a.service"]);
  });
  it("is not unknown while its record can't be read", async () => {
    await etcd().txn([], [{ put: registry().keys.unit("a.service"), value: "{broken" }]);
    expect(await unknown(null, "a.service")).toEqual([]);
  });
  it("is looked for among hundreds", async () => {
    const names = Array.from({ length: 300 }, (_, index) => `u${index}.service`);
    expect((await unknown(0, ...names)).length).toBe(300);
  });
});

describe("taking away a unit that the registry does not know", () => {
  const schedule = (id: string): string => registry().keys.schedule(id, "a.service");
  it("tells each machine by its schedule, and leaves nothing but the note of a destruction", async () => {
    const told: string[] = [];
    const forget = etcd().store.onCommit(({ events }) => {
      for (const event of events) if (event.kind === "put") told.push(`${event.keyValue.key} ${event.keyValue.value}`);
    });
    const seenAt = await submit("b.service");
    const ids = Array.from({ length: 70 }, (_, index) => `m${index}`);
    await destroyUnknown(etcd(), registry().keys, "a.service", ids);
    forget();
    const entries = told.filter((entry) => entry.startsWith(registry().keys.schedule("m7", "")));
    expect(entries).toEqual([expect.stringMatching(/a\.service \{"hash":"0+","desiredState":"inactive"\}$/)]);
    for (const id of ids) expect(etcd().store.value(schedule(id))).toBeNull();
    expect(await unknown(seenAt, "a.service")).toEqual([]);
  });
  it("is refused where the registry knows it by now", async () => {
    await submit("a.service");
    await expect(destroyUnknown(etcd(), registry().keys, "a.service", ["m1"])).rejects.toMatchObject({
      code: "conflict",
    });
    expect(etcd().store.value(schedule("m1"))).toBeNull();
  });
  it("leaves the entry of a new unit of that name that comes meanwhile", async () => {
    let puts = 0;
    const forget = etcd().store.onCommit(({ events }) => {
      if (events.some((event) => event.kind === "put" && event.keyValue.key === schedule("m1")) && puts++ === 0)
        void etcd()
          .connect()
          .txn([], [{ put: schedule("m1"), value: '{"hash":"h","desiredState":"launched"}' }]);
    });
    await destroyUnknown(etcd(), registry().keys, "a.service", ["m1", "m2"]);
    forget();
    expect([etcd().store.value(schedule("m1")), etcd().store.value(schedule("m2"))]).toEqual([
      '{"hash":"h","desiredState":"launched"}',
      null,
    ]);
  });
});

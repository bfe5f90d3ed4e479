import { encodeVersion } from "@fleet/domain/cluster";
import { expect, it } from "vitest";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";

const fake = fakeRegistry();

/** Writes so many versions of a unit. */
async function versions(name: string, count: number): Promise<void> {
  const { etcd, keys } = fake.registry();
  for (let number = 1; number <= count; number++) {
    const text = { hash: "h".repeat(40), source: "s".repeat(40) };
    const version = { kind: "version", number, ...text, at: "2026-11-26T09:00:00Z", by: null, message: null } as const;
    await etcd.txn([], [{ put: keys.version(name, `${number}-x`), value: encodeVersion(version) }]);
  }
}

it("histories are read one unit after the other, whatever their names begin with", async () => {
  await versions("a.service", 3);
  await versions("a@1.service", 2);
  await versions("a.service-b.service", 1);
  const { etcd, keys } = fake.registry();
  await etcd.txn([], [{ put: keys.version("a.service", "2-z"), value: "of a newer fleet" }]);
  const found: string[] = [];
  for await (const history of fake.registry().histories())
    found.push(history.kind === "unit" ? `${history.name} ${history.versions.length}` : history.kind);
  expect(found.toSorted()).toEqual(["a.service 3", "a.service-b.service 1", "a@1.service 2", "unreadable"]);
});

it("a unit's history is there before those of all others are read", async () => {
  for (let unit = 0; unit < 100; unit++) await versions(`u${String(unit).padStart(3, "0")}.service`, 2);
  const pagesFor = async (units: number): Promise<number> => {
    const before = fake.etcd().asked.get("range") ?? 0;
    let read = 0;
    for await (const history of fake.registry().histories()) if (history.kind === "unit" && ++read === units) break;
    return (fake.etcd().asked.get("range") ?? 0) - before;
  };
  const all = await pagesFor(100);
  expect(await pagesFor(1)).toBeLessThan(all);
});

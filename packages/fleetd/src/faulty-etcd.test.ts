import { Registry, type UnitChange, type WatchBatch } from "@fleet/registry";
import { expect, it } from "vitest";
import { testRegistry } from "../../../testbed/test-registry.ts";
import { FaultyEtcd } from "./faulty-etcd.ts";

const { registry, stopping } = testRegistry("faulty");

const options = (value: string) => [{ section: "Service", name: "ExecStart", value }];
const set = (name: string, desiredState: "inactive" | "launched", value: string | null = null): UnitChange => ({
  kind: "set",
  name,
  options: value === null ? null : options(value),
  desiredState,
});

/** An etcd whose watches tell, with each batch, all those before it again. */
class Repeating extends FaultyEtcd {
  override watch(...[ranges, signal, onBatch, onOpen]: Parameters<FaultyEtcd["watch"]>): Promise<void> {
    const all: WatchBatch[] = [];
    const again = (batch: WatchBatch): void => {
      all.push(batch);
      for (const one of [batch, ...all]) onBatch(one);
    };
    return super.watch(ranges, signal, again, onOpen);
  }
}

it("a mirror takes each event once and never goes back where events come late, twice and again", async () => {
  const etcd = new Repeating(registry().etcd, {
    reach: () => undefined,
    happens: (fault) => fault === "etcd.watch-twice" || (fault === "etcd.watch-late" && Math.random() < 0.2),
  });
  const followed = new Registry(etcd, registry().keys).mirror({ ranges: [registry().keys.all()] });
  void followed.run(stopping().signal);
  await followed.ready;
  const seen: string[] = [];
  followed.onChanges((changes) => {
    for (const change of changes)
      if (change.kind === "unit") seen.push(`${change.name} ${change.after?.desiredState ?? "gone"}`);
  });
  const writer = registry().unitWriter();
  const wanted: string[] = [];
  for (const name of ["a.service", "b.service", "a.service"]) {
    await writer.submit(set(name, "inactive", "/bin/x"));
    await writer.submit(set(name, "launched"));
    await writer.submit({ kind: "destroy", name });
    wanted.push(`${name} inactive`, `${name} launched`, `${name} gone`);
  }
  const { revision } = await writer.submit(set("c.service", "inactive", "/bin/c"));
  expect(await followed.waitFor(registry().keys.unit("c.service"), revision, 40_000)).toBe(true);
  expect(seen).toEqual([...wanted, "c.service inactive"]);
  expect([...followed.state.units.keys()]).toEqual(["c.service"]);
}, 60_000);

it("a mirror has what etcd has although events were dropped on their way", async () => {
  let toDrop = 1;
  const etcd = new FaultyEtcd(registry().etcd, {
    reach: () => undefined,
    happens: (fault) => fault === "etcd.event-dropped" && toDrop-- > 0,
  });
  const faulty = new Registry(etcd, registry().keys);
  const followed = faulty.mirror({ ranges: [registry().keys.all()], checkMs: 100 });
  void followed.run(stopping().signal);
  await followed.ready;
  await expect.poll(() => followed.isConnected).toBe(true);
  await registry()
    .unitWriter()
    .submit(set("a.service", "launched", "/bin/x"));
  await registry().unitWriter().submit(set("a.service", "inactive"));
  await expect.poll(() => faulty.readAnew["events-lost"], { timeout: 20_000 }).toBe(1);
  await expect.poll(() => followed.state.unitFiles.size + followed.state.units.size).toBe(2);
}, 60_000);

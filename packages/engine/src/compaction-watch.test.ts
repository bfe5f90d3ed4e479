import { expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { CompactionWatch } from "./compaction-watch.ts";
import { fakeLog } from "./testing/simulated-engine.ts";

const clock = fakeClock();
const { etcd, registry } = fakeRegistry();

const change = async (times: number): Promise<void> => {
  for (let count = 0; count < times; count++) etcd().store.txn([], [{ put: "/test/x", value: String(count) }]);
};
/** What is said in some hours, a look a minute, of an etcd that changes so often an hour. */
const saidIn = async (hours: number, changesAnHour: number, isCompacted: boolean): Promise<readonly string[]> => {
  const { log, said } = fakeLog();
  const watch = new CompactionWatch(registry(), log);
  for (let hour = 0; hour < hours; hour++) {
    await change(changesAnHour);
    for (let minute = 0; minute < 60; minute++) {
      await watch.look(etcd().store.revision);
      await clock.pass(60_000);
    }
    if (isCompacted) etcd().store.compact(etcd().store.revision);
  }
  return said;
};

it("an etcd that keeps all of its history is told of once, with what to do", async () => {
  const said = await saidIn(8, 6_000, false);
  expect(said).toEqual([expect.stringContaining("--auto-compaction-retention=1h")]);
});
it("an etcd that compacts its history is not told of", async () => {
  expect(await saidIn(6, 6_000, true)).toEqual([]);
});
it("an etcd of which little history is there is not told of", async () => {
  expect(await saidIn(6, 100, false)).toEqual([]);
});

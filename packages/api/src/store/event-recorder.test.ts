import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { EventLog } from "../model/event-log.ts";
import { EventRecorder } from "./event-recorder.ts";

const { etcd, registry } = fakeRegistry();
const folder = temporaryFolder();

const put = (name: string): Promise<unknown> => {
  const value = JSON.stringify({ hash: "h", desiredState: "inactive" });
  return registry().etcd.txn([], [{ put: registry().keys.unit(name), value }]);
};

/** An API's log of events, as far as it is not about HTTP. */
async function start({ directory = folder() as string | null, mayWatch = true } = {}) {
  const stopping = new AbortController();
  const said: string[] = [];
  const say = (first: unknown, second?: unknown): void => void said.push(String(second ?? first));
  const log = new EventLog();
  const mirror = registry().mirror({ inOrder: true });
  const recorder = new EventRecorder({
    ...{ registry: registry(), mirror, log, directory, mayWatch, signal: stopping.signal },
    logger: { info: say, warn: say, error: say } as never,
  });
  let isRestored = false;
  mirror.onReadAnew((why) => {
    isRestored = why === "restored";
  });
  mirror.onChanges((changes, revision, isGap) => {
    const missed = { message: "missed", isOtherHistory: isRestored };
    recorder.take({ changes, revision, time: new Date(), ...(isGap || isRestored ? { missed } : {}) });
    isRestored = false;
  });
  const mirrored = mirror.run(stopping.signal);
  await recorder.opened;
  const entries = () => log.kept(new Date()).entries;
  const told = (): string[] => entries().map((entry) => (entry.kind === "gap" ? "gap" : (entry.unit ?? entry.kind)));
  return {
    ...{ log, said, entries, told },
    stop: async () => {
      stopping.abort();
      await mirrored;
      await recorder.stop();
    },
  };
}

it("an API that starts anew has the events of before, and those that happened meanwhile", async () => {
  const first = await start();
  await put("before.service");
  await expect.poll(first.told).toEqual(["before.service"]);
  await first.stop();
  await put("meanwhile.service");
  const second = await start();
  await put("after.service");
  await expect.poll(second.told).toEqual(["before.service", "meanwhile.service", "after.service"]);
  const [before, meanwhile, after] = second.entries();
  expect(before).toEqual(first.entries()[0]);
  expect(meanwhile).toMatchObject({ notBefore: expect.any(String), cause: "a client created it" });
  expect(after).not.toHaveProperty("notBefore");
  expect(second.log.after(1)).toEqual({ kind: "at", next: 0 });
  await second.stop();
});

it("an API that was killed while it wrote has lost nothing that etcd still knows", async () => {
  const first = await start();
  await put("a.service");
  await expect.poll(() => readFileSync(join(folder(), "events.jsonl"), "utf8")).toContain("a.service");
  appendFileSync(join(folder(), "events.jsonl"), '{"to":99999,"at":"2026');
  const second = await start();
  expect(second.told()).toEqual(["a.service"]);
  await first.stop();
  await second.stop();
});

it("what etcd has compacted meanwhile is a gap, after what was before", async () => {
  const first = await start();
  await put("before.service");
  await expect.poll(first.told).toEqual(["before.service"]);
  await first.stop();
  await put("meanwhile.service");
  await put("later.service");
  etcd().compact();
  const second = await start();
  await put("after.service");
  await expect.poll(second.told).toEqual(["before.service", "gap", "after.service"]);
  expect(second.entries()[1]).toMatchObject({ message: expect.stringContaining("this API was not running") });
  await second.stop();
});

it("a compaction alone is no gap: nothing has happened", async () => {
  const first = await start();
  await put("before.service");
  await expect.poll(first.told).toEqual(["before.service"]);
  await first.stop();
  etcd().compact();
  const second = await start();
  expect(second.told()).toEqual(["before.service"]);
  await second.stop();
});

it("where etcd may not be watched, what happened meanwhile is a gap", async () => {
  await (await start()).stop();
  await put("meanwhile.service");
  const second = await start({ mayWatch: false });
  expect(second.told()).toEqual(["gap"]);
  await second.stop();
});

it.each([
  ["at an earlier revision", () => undefined],
  ["in another cluster", () => "other"],
])("an etcd that was restored meanwhile, %s, has another past", async (_name, clusterID) => {
  const snapshot = etcd().store.snapshot();
  const first = await start();
  await put("before.service");
  await expect.poll(first.told).toEqual(["before.service"]);
  await first.stop();
  const other = clusterID();
  etcd().store.restore(snapshot, other === undefined ? {} : { clusterID: other, revision: 1_000 });
  const second = await start();
  expect([second.told(), second.said]).toEqual([[], [expect.stringContaining("are dropped")]]);
  await second.stop();
});

it("a restore that the API sees drops what the file has of before", async () => {
  const snapshot = etcd().store.snapshot();
  const first = await start();
  await put("before.service");
  await expect.poll(first.told).toEqual(["before.service"]);
  etcd().store.restore(snapshot);
  etcd().breakWatches();
  const kinds = (): string[] => first.entries().map(({ kind }) => kind);
  await expect.poll(kinds).toEqual(["gap", "destroyed"]);
  await first.stop();
  expect(readFileSync(join(folder(), "events.jsonl"), "utf8")).not.toContain("submitted");
  const second = await start();
  expect(second.entries()).toEqual(first.entries());
  await second.stop();
});

it("without a directory events are in memory only, and the log says so", async () => {
  const first = await start({ directory: null });
  await put("a.service");
  await expect.poll(first.told).toEqual(["a.service"]);
  expect(first.said).toEqual([expect.stringContaining("in memory only")]);
  await first.stop();
});

it("a directory that can't be written costs the file, not the API, and is said once", async () => {
  const file = join(folder(), "file");
  writeFileSync(file, "");
  const first = await start({ directory: file });
  await put("a.service");
  await expect.poll(first.told).toEqual(["a.service"]);
  await first.stop();
  expect(first.said.filter((text) => text.includes("can't be written"))).toHaveLength(1);
});

it("at rest nothing is written, and the file is its owner's only", async () => {
  const first = await start();
  await put("a.service");
  const path = join(folder(), "events.jsonl");
  await expect.poll(() => readFileSync(path, "utf8")).toContain("a.service");
  const { mtimeMs, mode } = statSync(path);
  etcd().progress();
  await registry().reachedRevision();
  expect([statSync(path).mtimeMs, mode & 0o777]).toEqual([mtimeMs, 0o600]);
  await first.stop();
  expect(readdirSync(folder())).toEqual(["events.jsonl"]);
});

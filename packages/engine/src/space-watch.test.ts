import type { EtcdSpace } from "@fleet/registry";
import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../testbed/fake-clock.ts";
import { SpaceWatch } from "./space-watch.ts";
import { fakeLog } from "./testing/simulated-engine.ts";

const clock = fakeClock();
const member = (bytes: number, quotaBytes: number | null = 1_000_000_000, server = "http://m1"): EtcdSpace => ({
  ...{ server, bytes, quotaBytes },
});

/** What is said while looks a minute apart find these spaces, one after the other. */
async function said(looks: readonly (readonly EtcdSpace[])[], isLeading = () => true): Promise<readonly string[]> {
  const { log, said: lines } = fakeLog();
  const heard: (readonly EtcdSpace[])[] = [];
  let next = 0;
  const stopping = new AbortController();
  const read = async (): Promise<readonly EtcdSpace[]> => looks[next++] ?? [];
  const watch = new SpaceWatch({ read, isLeading, log, onSpace: (space) => heard.push(space) });
  const done = watch.run(stopping.signal);
  await clock.pass(60_000 * looks.length + 1);
  stopping.abort();
  await done;
  expect(heard).toEqual(looks.slice(0, next));
  return lines;
}

describe("a member of etcd", () => {
  it("that reaches 80 % of its quota is told of once, and again after it had come down", async () => {
    const low = [member(799_000_000)];
    const high = [member(800_000_000)];
    const lines = await said([low, high, high, [member(900_000_000)], low, high]);
    expect(lines).toEqual([
      expect.stringContaining("the database of etcd at http://m1 has 800 MB, 80 % of its quota of 1000 MB"),
      expect.stringContaining("etcd at http://m1 has 800 MB"),
    ]);
  });
  it("without a quota is told of once, each by itself", async () => {
    const looks = [member(1, null), member(1, null, "http://m2"), member(1, 100, "http://m3")];
    expect(await said([looks, looks])).toEqual([
      expect.stringContaining("etcd at http://m1 has no quota"),
      expect.stringContaining("etcd at http://m2 has no quota"),
    ]);
  });
  it("that says nothing for a moment is not told of anew", async () => {
    const high = [member(900_000_000)];
    expect(await said([high, [], high])).toHaveLength(1);
  });
});

it("an engine that stands by does not ask", async () => {
  expect(await said([], () => false)).toEqual([]);
  await clock.pass(1);
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestCluster } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());
afterEach(async () => {
  for (const index of [1, 2, 3]) await cluster.fleetctl("uncordon", idOf(index));
  await cluster.clear();
});

const idOf = (index: number): string => cluster.cluster.network.hosts.get(index)?.machineID ?? "";
/** The hosts on which a job has run, one entry a run, by their index. */
const runs = async (unit: string): Promise<number[]> => {
  const found: number[] = [];
  for (const index of [1, 2, 3]) {
    const { stdout } = await cluster.cluster.network.exec(index, ["bash", "-c", `cat /run/${unit}.runs || true`]);
    for (const line of stdout.split("\n")) if (line !== "") found.push(index);
  }
  return found;
};
/** Starts a job on host 1, which `start` sees end, and drains that host. */
const drainedAfterRun = async (unit: string, more = ""): Promise<void> => {
  const text = `[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo ran >>/run/${unit}.runs'
[X-Fleet]
PreferMetadata=host=h1
${more}`;
  await cluster.ok("start", cluster.file(unit, text));
  expect(await runs(unit)).toEqual([1]);
  await cluster.ok("drain", idOf(1));
};
const stateOf = async (unit: string): Promise<string> =>
  (await cluster.ok("list-unit-files", "--no-legend", "--fields=unit,state"))
    .split("\n")
    .find((line) => line.startsWith(unit)) ?? "";

describe("a oneshot that has ended, and whose machine is drained", () => {
  it("is loaded elsewhere and not run, until it is started", async () => {
    await drainedAfterRun("job.service");
    await cluster.until("it to be loaded elsewhere", async () => /loaded/.test(await stateOf("job.service")));
    expect(await runs("job.service")).toEqual([1]);
    await cluster.ok("start", "job.service");
    await cluster.until("it to run again", async () => (await runs("job.service")).length === 2);
    expect((await runs("job.service")).filter((index) => index === 1)).toEqual([1]);
  });
  it("runs elsewhere with Rerun=true", async () => {
    await drainedAfterRun("again.service", "Rerun=true\n");
    await cluster.until("it to run again", async () => (await runs("again.service")).length === 2);
    expect((await runs("again.service")).filter((index) => index === 1)).toEqual([1]);
  });
});

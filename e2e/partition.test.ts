import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CUTS, copiesOf, cutOnce, STUBBORN, WATCHDOG_FAULTS } from "../testbed/partition.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start([{ engine: true, api: true }, { agent: true }, { agent: true }], "agent_ttl=8s");
});
afterAll(() => cluster?.stop());

describe("OnPartition=stop: two copies never run at once, by both hosts' journals", () => {
  it.each(CUTS)(
    "the machine is cut off, its %s",
    async (cut) => {
      const unit = `${cut.replaceAll(" ", "-")}.service`;
      await cluster.ok("start", cluster.file(unit, STUBBORN));
      await cutOnce(cluster, unit, cut);
      const { runs, overlapping } = await copiesOf(cluster, unit);
      expect(overlapping).toEqual([]);
      expect(new Set(runs.map(({ host }) => host)).size).toBe(2);
      await cluster.cluster.network.exec(await cluster.hostOf(unit), ["systemctl", "kill", "-s", "KILL", unit]);
      await cluster.ok("destroy", unit);
    },
    120_000,
  );
  it.each(WATCHDOG_FAULTS.slice(1))(
    "the watchdog is %s, and its machine cut off",
    async (fault) => {
      const unit = `w-${fault.replaceAll(" ", "-")}.service`;
      await cluster.ok("start", cluster.file(unit, STUBBORN));
      await cutOnce(cluster, unit, "agent alive", fault);
      const { runs, overlapping } = await copiesOf(cluster, unit);
      expect(overlapping).toEqual([]);
      expect(new Set(runs.map(({ host }) => host)).size).toBe(2);
      await cluster.cluster.network.exec(await cluster.hostOf(unit), ["systemctl", "kill", "-s", "KILL", unit]);
      await cluster.ok("destroy", unit);
    },
    120_000,
  );
  it("a oneshot that a timer has started, and that fleet was told to load only, is stopped with its machine's lease", async () => {
    const [job, timer] = ["job.service", "job.timer"];
    const text = STUBBORN.replace("[Service]\n", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\n");
    await cluster.ok("load", cluster.file(job, text));
    await cluster.ok(
      "start",
      cluster.file(timer, `[Timer]\nOnActiveSec=1\nAccuracySec=100ms\n[X-Fleet]\nMachineOf=${job}\n`),
    );
    const { network } = cluster.cluster;
    const running = async (): Promise<readonly number[]> => {
      const states = await Promise.all([2, 3].map((index) => network.exec(index, ["systemctl", "is-active", job])));
      return states.flatMap(({ stdout }, index) => (stdout.trim() === "activating" ? [index + 2] : []));
    };
    await cluster.until("the timer to start it", async () => (await running()).length === 1);
    const [from = 0] = await running();
    await network.cut(from);
    await cluster.until("it to run elsewhere", async () => (await running()).some((index) => index !== from), 60_000);
    await network.heal(from);
    const isBack = async (): Promise<boolean> => (await cluster.ok("list-machines")).includes(`host=h${from}`);
    await cluster.until("the machine to be back", isBack);
    await cluster.until("one run of it", async () => (await running()).length === 1, 60_000);
    const { runs, overlapping } = await copiesOf(cluster, job);
    expect(overlapping).toEqual([]);
    expect(new Set(runs.map(({ host }) => host)).size).toBe(2);
    for (const index of [2, 3]) await network.exec(index, ["systemctl", "kill", "-s", "KILL", job]);
    await cluster.ok("destroy", timer, job);
  }, 150_000);
  it("a cut that heals before the lease ends brings the unit back on its machine", async () => {
    await cluster.ok(
      "start",
      cluster.file("back.service", `${SLEEP}[X-Fleet]\nOnPartition=stop\nMachineMetadata=host=h2\n`),
    );
    const { network } = cluster.cluster;
    const before = await cluster.show(2, "back.service", "InvocationID");
    await network.cut(2);
    await cluster.until("the watchdog to stop it", async () =>
      /^(in|de)active|activating$/.test(await cluster.show(2, "back.service", "ActiveState")),
    );
    await network.heal(2);
    await cluster.until(
      "it to run again",
      async () => (await cluster.show(2, "back.service", "ActiveState")) === "active",
    );
    expect(await cluster.show(2, "back.service", "InvocationID")).not.toBe(before);
    await cluster.until("the watchdog's own word of it", async () =>
      (await network.must(2, "journalctl", "-u", "fleet-fence", "-o", "cat", "--no-pager")).includes(
        "this machine could not renew its lease: stopping back.service",
      ),
    );
    await cluster.ok("destroy", "back.service");
  });
  it("is not asked for by a unit that does not say so: it goes on running", async () => {
    await cluster.ok("start", cluster.file("keeps.service", `${SLEEP}[X-Fleet]\nMachineMetadata=host=h3\n`));
    const before = await cluster.show(3, "keeps.service", "InvocationID");
    await cluster.cluster.network.cut(3);
    await cluster.until("the machine to be gone", async () => !/host=h3/.test(await cluster.ok("list-machines")));
    expect(await cluster.show(3, "keeps.service", "InvocationID")).toBe(before);
    await cluster.cluster.network.heal(3);
    await cluster.until("the machine to be back", async () => /host=h3/.test(await cluster.ok("list-machines")));
    await cluster.until("it to be known as running", async () =>
      /keeps\.service.*active/.test(await cluster.ok("list-units")),
    );
    expect(await cluster.show(3, "keeps.service", "InvocationID")).toBe(before);
    await cluster.ok("destroy", "keeps.service");
  });
});

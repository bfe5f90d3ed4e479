import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { copiesOf } from "../testbed/partition.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

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
const started = async (unit: string, index: number): Promise<number> =>
  Number(await cluster.show(index, unit, "ActiveEnterTimestampMonotonic"));
/** When systemd had stopped a unit, as it says itself: on the same clock as `started`. */
const stopped = async (unit: string, index: number): Promise<number> => {
  let last = "";
  await cluster.until(`${unit}'s stop to be in the journal`, async () => {
    const { stdout } = await cluster.cluster.network.exec(index, [
      ...["journalctl", "--no-pager", "-o", "json", "--output-fields=MESSAGE,_SOURCE_REALTIME_TIMESTAMP"],
      ...["JOB_TYPE=stop", `UNIT=${unit}`, "JOB_RESULT=done"],
    ]);
    last = stdout.trim().split("\n").at(-1) ?? "";
    return last !== "";
  });
  const entry = JSON.parse(last) as Record<string, string>;
  // The journal's own time is when it took the line; systemd's is when it said so.
  const lateness = Number(entry.__REALTIME_TIMESTAMP) - Number(entry._SOURCE_REALTIME_TIMESTAMP);
  return Number(entry.__MONOTONIC_TIMESTAMP) - lateness;
};

/** A service that comes up only where a file is. */
const HANGS = `[Service]
ExecStartPre=/bin/sh -c 'test -e /run/quick || sleep 600'
ExecStart=/bin/sleep infinity
`;

async function killLeader(): Promise<void> {
  const { text } = await cluster.api.send("GET", "/events?follow=false&kind=leader-changed");
  const leaders = [...text.matchAll(/"machineID":"(\w+)"/g)].map(([, id]) => id);
  const leading = [1, 2].find((index) => idOf(index) === leaders.at(-1)) ?? 1;
  await cluster.cluster.network.must(leading, "systemctl", "kill", "-s", "KILL", "fleet-engine.service");
}

describe("cordon", () => {
  it("keeps what is there and lets nothing new in, until uncordon", async () => {
    await cluster.ok("start", cluster.file("old.service", `${SLEEP}[X-Fleet]\nMachineMetadata=host=h3\n`));
    expect(await cluster.ok("cordon", idOf(3))).toBe(`Machine ${idOf(3).slice(0, 8)}... cordoned\n`);
    expect(await cluster.ok("list-machines", "--no-legend", "--fields=state")).toBe("ready\nready\ncordoned\n");
    cluster.file("new@.service", SLEEP);
    await cluster.ok("start", "new@1", "new@2", "new@3");
    expect(await cluster.activeOn("old.service")).toEqual([3]);
    for (const n of [1, 2, 3]) expect(await cluster.hostOf(`new@${n}.service`)).not.toBe(3);
    await cluster.ok(
      "start",
      "--no-block",
      cluster.file("late.service", `${SLEEP}[X-Fleet]\nMachineMetadata=host=h3\n`),
    );
    expect(await cluster.ok("explain", "late")).toContain("it is cordoned");
    await cluster.ok("uncordon", idOf(3));
    await cluster.until("the unit to come", async () => (await cluster.activeOn("late.service")).includes(3));
  });
});

describe("drain", () => {
  it("moves units away one after the other, those that may overlap without a gap, the others stopped first", async () => {
    const at1 = "[X-Fleet]\nPreferMetadata=host=h1\n";
    await cluster.ok("start", cluster.file("plain.service", SLEEP + at1));
    await cluster.ok("start", cluster.file("twice.service", `${SLEEP}${at1}Overlap=true\n`));
    await cluster.ok("start", cluster.file("everywhere.service", `${SLEEP}[X-Fleet]\nGlobal=true\n`));
    await cluster.until(
      "the global unit to run",
      async () => (await cluster.activeOn("everywhere.service")).length === 3,
    );
    for (const unit of ["plain.service", "twice.service"]) expect(await cluster.hostOf(unit)).toBe(1);
    const printed = await cluster.ok("drain", idOf(1));
    expect(printed).toMatch(/^Machine \w{8}\.\.\. draining\n/);
    expect(printed).toMatch(/Unit twice\.service moved to /);
    const [plainHost, twiceHost] = [await cluster.hostOf("plain.service"), await cluster.hostOf("twice.service")];
    expect([plainHost, twiceHost]).not.toContain(1);
    expect(await cluster.activeOn("everywhere.service")).toEqual([1, 2, 3]);
    // The hosts share this machine's clock: what was stopped first was not active yet on its new host.
    expect(await started("plain.service", plainHost)).toBeGreaterThan(await stopped("plain.service", 1));
    expect(await started("twice.service", twiceHost)).toBeLessThan(await stopped("twice.service", 1));
    expect(await cluster.ok("list-machines", "--no-legend", "--fields=state")).toBe("draining\nready\nready\n");
  });
  it("waits until units have stopped here and are up elsewhere, also asked for once more half-way", async () => {
    const text = `[Service]
ExecStartPre=/bin/sleep 1
ExecStart=/bin/sleep infinity
ExecStop=/bin/sleep 8
[X-Fleet]
PreferMetadata=host=h3
`;
    await cluster.ok("start", cluster.file("slow.service", text));
    await cluster.ok("start", cluster.file("once.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"));
    expect(await cluster.hostOf("slow.service")).toBe(3);
    await cluster.ok("drain", "--no-block", idOf(3));
    await cluster.until(
      "it to be stopping",
      async () => (await cluster.show(3, "slow.service", "ActiveState")) === "deactivating",
    );
    expect(await cluster.ok("drain", idOf(3))).toMatch(/Unit slow\.service moved to /);
    expect(await cluster.show(3, "slow.service", "ActiveState")).toBe("inactive");
    expect(await cluster.hostOf("slow.service")).not.toBe(3);
  });
  it("goes on when the client has ended, and when the leading engine is killed", async () => {
    cluster.file("many@.service", `${SLEEP}[X-Fleet]\nPreferMetadata=host=h2\nOverlap=true\n`);
    const names = Array.from({ length: 8 }, (_, index) => `many@${index}`);
    await cluster.ok("start", ...names);
    expect(await cluster.ok("drain", "--no-block", idOf(2))).toContain("draining");
    await cluster.until("some to have moved", async () => (await cluster.activeOn("many@0.service"))[0] !== 2);
    await killLeader();
    await cluster.until(
      "all to have moved",
      async () =>
        !(await cluster.ok("list-units", "--no-legend", "--fields=unit,machine", "-l")).includes(`${idOf(2)}/`),
      55_000,
    );
    for (const name of names) await cluster.hostOf(`${name}.service`);
  });
  it("never has two copies of a unit that stops first, also where the leading engine is killed while it stops", async () => {
    const text = `[Service]
ExecStart=/bin/bash -c 'trap "" TERM; while :; do echo alive; sleep 0.1; done'
TimeoutStopSec=10
[X-Fleet]
PreferMetadata=host=h3
`;
    await cluster.ok("start", cluster.file("once.service", text));
    expect(await cluster.hostOf("once.service")).toBe(3);
    await cluster.ok("drain", "--no-block", idOf(3));
    await cluster.until(
      "it to be stopping",
      async () => (await cluster.show(3, "once.service", "ActiveState")) === "deactivating",
    );
    expect(await cluster.ok("explain", "once")).toContain("pending until machine h3 has stopped it: ");
    await killLeader();
    await cluster.until("it to run elsewhere", async () =>
      (await cluster.activeOn("once.service")).some((index) => index !== 3),
    );
    const hasSpoken = async (): Promise<boolean> => (await copiesOf(cluster, "once.service")).runs.length === 2;
    await cluster.until("the new copy to have said something", hasSpoken);
    expect((await copiesOf(cluster, "once.service")).overlapping).toEqual([]);
  });
  it("says which units fit nowhere else, and leaves them where they are", async () => {
    await cluster.ok("start", cluster.file("pinned.service", `${SLEEP}[X-Fleet]\nMachineID=${idOf(3)}\n`));
    const { code, stderr } = await cluster.fleetctl("drain", idOf(3));
    expect(code).toBe(1);
    expect(stderr).toContain("Error: unit pinned.service fits no other machine: its ID is not MachineID=");
    expect(await cluster.activeOn("pinned.service")).toEqual([3]);
  });
  it("leaves a unit to its user as soon as that changes it, though it is still coming up on its new machine", async () => {
    const { network } = cluster.cluster;
    const hosts = [...network.hosts.keys()];
    await Promise.all(hosts.map((host) => network.must(host, "touch", "/run/quick")));
    await cluster.ok("start", cluster.file("hangs.service", HANGS));
    const from = await cluster.hostOf("hangs.service");
    const others = hosts.filter((host) => host !== from);
    await Promise.all(others.map((host) => network.must(host, "rm", "/run/quick")));
    const machine = network.hosts.get(from)?.machineID ?? "";
    await cluster.fleetctl("drain", "--no-block", machine);
    await cluster.until("it to hang on its new machine", async () => {
      const states = await Promise.all(others.map((host) => cluster.show(host, "hangs.service", "ActiveState")));
      return states.includes("activating");
    });
    await cluster.ok("unload", "hangs.service");
    await Promise.all(others.map((host) => network.must(host, "touch", "/run/quick")));
    await cluster.ok("start", "hangs.service");
    await cluster.ok("uncordon", machine);
    await cluster.ok("destroy", "hangs.service");
  });
  it("tells of a unit that hangs in activating on its new machine", async () => {
    const { network } = cluster.cluster;
    const hosts = [...network.hosts.keys()];
    await Promise.all(hosts.map((host) => network.must(host, "touch", "/run/quick")));
    await cluster.ok("start", cluster.file("hangs.service", HANGS));
    const from = await cluster.hostOf("hangs.service");
    await Promise.all(hosts.filter((host) => host !== from).map((host) => network.must(host, "rm", "/run/quick")));
    const { code, stderr } = await cluster.fleetctl("drain", "--timeout=8", idOf(from));
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Still waiting: .*hangs\.service is activating/m),
    });
    await cluster.ok("destroy", "hangs.service");
    await network.must(from, "rm", "/run/quick");
  });
  it("brings a unit back that does not come up on its new machine, without having stopped it", async () => {
    // Its program is on one host only.
    await cluster.cluster.network.must(
      1,
      "bash",
      "-c",
      "printf '#!/bin/sh\\nexec sleep infinity\\n' >/usr/local/bin/only-here && chmod +x /usr/local/bin/only-here",
    );
    const text =
      "[Service]\nType=exec\nExecStart=/usr/local/bin/only-here\n[X-Fleet]\nPreferMetadata=host=h1\nOverlap=true\n";
    await cluster.ok("start", cluster.file("picky.service", text));
    const before = await cluster.show(1, "picky.service", "InvocationID");
    await cluster.ok("drain", "--no-block", idOf(1));
    await cluster.until("the engine to have tried", async () => {
      const { text: log } = await cluster.api.send("GET", "/events?follow=false&unit=picky.service&kind=failed");
      return log.includes("picky.service");
    });
    await cluster.until("the trial to be over", async () => (await cluster.activeOn("picky.service")).join() === "1");
    expect(await cluster.show(1, "picky.service", "InvocationID")).toBe(before);
  });
});

describe("rebalance", () => {
  it("names the moves that were not made, and where the units are", async () => {
    const program = "/usr/local/bin/on-one";
    const make = `printf '#!/bin/sh\nexec sleep infinity\n' >${program} && chmod +x ${program}`;
    await cluster.cluster.network.must(1, "bash", "-c", make);
    await cluster.ok("cordon", idOf(2), idOf(3));
    cluster.file("stuck@.service", `[Service]\nType=exec\nExecStart=${program}\n[X-Fleet]\nOverlap=true\n`);
    await cluster.ok("start", "stuck@1", "stuck@2", "stuck@3");
    await cluster.ok("uncordon", idOf(2), idOf(3));
    const { code, stderr } = await cluster.fleetctl("rebalance");
    expect(code).toBe(1);
    expect(stderr.match(/^Error: unit stuck@\d\.service was not moved to .*: it is on /gm)).toHaveLength(2);
    for (const n of [1, 2, 3]) expect(await cluster.activeOn(`stuck@${n}.service`)).toEqual([1]);
  });
  it("shows its moves without making them, and makes them when asked to", async () => {
    await cluster.ok("cordon", idOf(2), idOf(3));
    // They take a moment to come up: it waits for that too.
    cluster.file("heap@.service", `[Service]\nExecStartPre=/bin/sleep 1\nExecStart=/bin/sleep infinity\n`);
    await cluster.ok("start", ...Array.from({ length: 6 }, (_, index) => `heap@${index}`));
    await cluster.ok("uncordon", idOf(2), idOf(3));
    const dry = await cluster.ok("rebalance", "--dry-run");
    expect(dry.match(/ would move from /g)).toHaveLength(4);
    expect(await cluster.activeOn("heap@0.service")).toEqual([1]);
    const made = await cluster.ok("rebalance", "--limit=2");
    expect(made.match(/ moves from /g)).toHaveLength(4);
    const hosts = await Promise.all(Array.from({ length: 6 }, (_, index) => cluster.hostOf(`heap@${index}.service`)));
    expect(hosts.toSorted()).toEqual([1, 1, 2, 2, 3, 3]);
    expect(await cluster.ok("rebalance")).toBe("The cluster is balanced: no unit would be better placed elsewhere.\n");
  });
});

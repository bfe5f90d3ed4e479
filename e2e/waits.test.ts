import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

// What fleetctl waits for and says, where systemd's word and what fleet has noted differ.

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());
afterEach(() => cluster.clear());

const HOSTS = [1, 2, 3];
const idOf = (index: number): string => cluster.cluster.network.hosts.get(index)?.machineID ?? "";
const onAll = async (...command: readonly string[]): Promise<void> => {
  for (const index of HOSTS) await cluster.cluster.network.must(index, ...command);
};
/** A service that runs only where a file is. */
const needing = (path: string): string => `[Service]\nExecStart=/bin/sh -c 'test -e ${path} && exec sleep infinity'\n`;

describe("start", () => {
  it("ends soon in a crash loop, and calls it one", async () => {
    // Without systemd's own limit, which would end the loop.
    const service = SLEEP.replace("ExecStart=", "ExecStartPre=/bin/false\nExecStart=");
    const text = `[Unit]\nStartLimitIntervalSec=0\n${service}Restart=always\n`;
    const began = performance.now();
    const { code, stderr } = await cluster.fleetctl("start", cluster.file("loop.service", text));
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/Error: unit loop\.service\b.* keeps failing.*after \d+ restarts/),
    });
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  it("starts anew what has failed, has ended, or was stopped by hand", async () => {
    const file = cluster.file("later.service", needing("/run/later"));
    expect((await cluster.fleetctl("start", file)).code).toBe(1);
    await onAll("touch", "/run/later");
    await cluster.ok("start", "later");
    const host = await cluster.hostOf("later.service");
    await cluster.cluster.network.must(host, "systemctl", "stop", "later.service");
    await cluster.until("fleet to hear of it", async () =>
      (await cluster.ok("list-units", "--fields=active", "--no-legend", "later")).includes("inactive"),
    );
    await cluster.ok("start", "later");
    expect(await cluster.activeOn("later.service")).toEqual([host]);
    expect(await cluster.ok("start", "later")).toBe("");
    await onAll("rm", "/run/later");
  });

  it("runs an ended oneshot once more for each call", async () => {
    const service = `[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo ran >>/run/once"\n`;
    const file = cluster.file("once.service", `${service}[X-Fleet]\nMachineMetadata=host=h1\n`);
    const runs = (): Promise<string> => cluster.cluster.network.must(1, "cat", "/run/once");
    await cluster.ok("start", file);
    await cluster.until("it to have ended", async () =>
      (await cluster.ok("list-units", "--fields=active", "--no-legend", "once")).includes("inactive"),
    );
    expect(await runs()).toBe("ran\n");
    await cluster.ok("start", "once");
    await cluster.until("it to have run again", async () => (await runs()) !== "ran\n");
    expect(await runs()).toBe("ran\nran\n");
    await onAll("rm", "-f", "/run/once");
  });

  it("brings up two units that need each other", async () => {
    cluster.file("graf@.service", `[Unit]\nRequires=gann@%i.service\n${SLEEP}`);
    const bound = "[Unit]\nBindsTo=graf@%i.service\nAfter=graf@%i.service\n";
    cluster.file("gann@.service", `${bound}${SLEEP}[X-Fleet]\nMachineOf=graf@%i.service\n`);
    await cluster.ok("start", "graf@1", "gann@1");
    const host = await cluster.hostOf("graf@1.service");
    expect(await cluster.activeOn("gann@1.service")).toEqual([host]);
  });

  it("of a global unit that is down on one machine is exit code 1, and explain says where", async () => {
    await cluster.cluster.network.must(2, "touch", "/run/there");
    await cluster.cluster.network.must(3, "touch", "/run/there");
    const file = cluster.file("all.service", `${needing("/run/there")}[X-Fleet]\nGlobal=true\n`);
    const { code, stdout, stderr } = await cluster.fleetctl("start", file);
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: "Unit all.service inactive\nTriggered global unit all.service start\n",
    });
    expect(stderr).toMatch(/^Error: unit all\.service on \S+: failed/m);
    expect(await cluster.ok("explain", "all")).toContain("down on 1");
    await onAll("rm", "-f", "/run/there");
  });

  it("says within five seconds why a unit waits for a machine", async () => {
    const text = `${SLEEP}[X-Fleet]\nMachineMetadata=host=none\n`;
    const args = ["start", "--block-attempts=12", cluster.file("nowhere.service", text)];
    const { code, stderr } = await cluster.fleetctl(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Still waiting for 1 of 1 units: nowhere\.service is pending: .*host=none/m);
    expect((await cluster.fleetctl("list-units")).stderr).toMatch(/^1 unit is pending: /);
    expect(await cluster.fleetctl("stop", "nowhere")).toMatchObject({
      code: 0,
      stderr: "Successfully stopped units [nowhere.service].\n",
    });
  });
});

describe("--replace", () => {
  it("refuses a version that fits nowhere before the one that runs stops", async () => {
    const direct = { env: { FLEETCTL_ENDPOINT: cluster.cluster.etcdURL } };
    await cluster.ok("start", cluster.file("kept.service", SLEEP));
    const host = await cluster.hostOf("kept.service");
    const since = await cluster.show(host, "kept.service", "InvocationID");
    const file = cluster.file("kept.service", `${SLEEP}[X-Fleet]\nMachineMetadata=host=none\n`);
    expect(await cluster.fleetctlWith(direct, "start", "--replace", file)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/was not replaced and keeps running: pending: none of 3 machines fits/),
    });
    expect(await cluster.show(host, "kept.service", "InvocationID")).toBe(since);
    await cluster.fleetctlWith(direct, "start", "--replace", "--force", "--no-block", file);
    await cluster.until("it to stop", async () => (await cluster.activeOn("kept.service")).length === 0);
  });
});

describe("stop", () => {
  it("of a global unit waits until every copy has stopped", async () => {
    const slow = SLEEP.replace("ExecStart=", "ExecStop=/bin/sleep 2\nExecStart=");
    await cluster.ok("start", cluster.file("slow.service", `${slow}[X-Fleet]\nGlobal=true\n`));
    expect(await cluster.activeOn("slow.service")).toEqual(HOSTS);
    await cluster.ok("stop", "slow");
    for (const index of HOSTS) expect(await cluster.show(index, "slow.service", "ActiveState")).toBe("inactive");
  });

  it("stops what another unit started", async () => {
    const pin = "[X-Fleet]\nMachineMetadata=host=h1\n";
    cluster.file("needed.service", `${SLEEP}${pin}`);
    cluster.file("needer.service", `[Unit]\nWants=needed.service\n${SLEEP}${pin}`);
    await cluster.ok("load", `${cluster.folder}/needed.service`, `${cluster.folder}/needer.service`);
    await cluster.ok("start", "needer");
    await cluster.until("it to run", async () => (await cluster.activeOn("needed.service")).length === 1);
    await cluster.until("fleet to hear of it", async () =>
      (await cluster.ok("list-units", "--fields=active", "--no-legend", "needed")).includes("active\n"),
    );
    await cluster.ok("stop", "needed");
    expect(await cluster.activeOn("needed.service")).toEqual([]);
  });
});

describe("drain", () => {
  afterEach(async () => {
    for (const index of HOSTS) await cluster.fleetctl("uncordon", idOf(index));
    await onAll("rm", "-f", "/run/here");
  });
  it("tells of a unit that fails on its new machine, with exit code 1", async () => {
    await onAll("touch", "/run/here");
    await cluster.ok("start", cluster.file("picky.service", needing("/run/here")));
    const host = await cluster.hostOf("picky.service");
    for (const index of HOSTS) if (index !== host) await cluster.cluster.network.must(index, "rm", "/run/here");
    const { code, stderr } = await cluster.fleetctl("drain", idOf(host));
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/Error: unit picky\.service on \S+ failed/),
    });
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());
afterEach(() => cluster.clear());

const fleet = (lines: string): string => `${SLEEP}[X-Fleet]\n${lines}`;
const machineID = (index: number): string => cluster.cluster.network.hosts.get(index)?.machineID ?? "";

describe("where units run, by the hosts' own systemctl", () => {
  it("MachineID means the machine, by its full and by its short ID", async () => {
    await cluster.ok(
      "start",
      cluster.file("full.service", fleet(`MachineID=${machineID(2)}\n`)),
      cluster.file("short.service", fleet(`MachineID=${machineID(3).slice(0, 8)}\n`)),
    );
    expect(await cluster.hostOf("full.service")).toBe(2);
    expect(await cluster.hostOf("short.service")).toBe(3);
  });

  it("MachineMetadata means machines that have it", async () => {
    cluster.file("meta@.service", fleet("MachineMetadata=rack=r0\n"));
    await cluster.ok("start", "meta@1", "meta@2");
    expect(await cluster.hostOf("meta@1.service")).toBe(2);
    expect(await cluster.hostOf("meta@2.service")).toBe(2);
  });

  it("Conflicts keeps units apart; what finds no room waits until there is some", async () => {
    cluster.file("apart@.service", fleet("Conflicts=apart@*.service\n"));
    await cluster.ok("start", "apart@1", "apart@2", "apart@3");
    const hosts = await Promise.all([1, 2, 3].map((n) => cluster.hostOf(`apart@${n}.service`)));
    expect(hosts.toSorted()).toEqual([1, 2, 3]);
    await cluster.ok("start", "--no-block", "apart@4");
    expect(await cluster.ok("list-unit-files", "--no-legend", "--fields=unit,dstate,target")).toContain(
      "apart@4.service\tlaunched\t-\n",
    );
    await cluster.ok("destroy", "apart@2");
    await cluster.until(
      "the waiting unit to get its place",
      async () => (await cluster.activeOn("apart@4.service")).length === 1,
    );
  });

  it("MachineOf follows its target, also when it moves", async () => {
    await cluster.ok(
      "start",
      cluster.file("lead.service", fleet(`MachineID=${machineID(1)}\n`)),
      cluster.file("follow.service", fleet("MachineOf=lead.service\n")),
    );
    expect(await cluster.hostOf("follow.service")).toBe(1);
    cluster.file("lead.service", fleet(`MachineID=${machineID(3)}\n`));
    await cluster.ok("start", "--replace", "./lead.service");
    await cluster.until("both to be on the new host", async () => {
      const [lead, follow] = [await cluster.activeOn("lead.service"), await cluster.activeOn("follow.service")];
      return lead.join() === "3" && follow.join() === "3";
    });
  });

  it("Global means every machine that fits", async () => {
    const printed = await cluster.ok(
      "start",
      cluster.file("all.service", fleet("Global=true\n")),
      cluster.file("some.service", fleet("Global=true\nMachineMetadata=rack=r1\n")),
    );
    expect(printed).toContain("Triggered global unit all.service start\n");
    await cluster.until("the global units to run", async () => {
      const [all, some] = [await cluster.activeOn("all.service"), await cluster.activeOn("some.service")];
      return all.join() === "1,2,3" && some.join() === "1,3";
    });
    expect(await cluster.ok("list-unit-files", "--no-legend", "--fields=unit,state,target")).toContain(
      "all.service\t-\tglobal\n",
    );
    await cluster.ok("destroy", "all", "some");
    expect(await cluster.activeOn("all.service")).toEqual([]);
  });

  it("Replaces pushes a neighbour to another machine", async () => {
    await cluster.ok("start", cluster.file("old.service", SLEEP));
    const before = await cluster.hostOf("old.service");
    // As many others elsewhere, so that the replacing unit comes to the same machine.
    const others = [1, 2, 3]
      .filter((index) => index !== before)
      .map((index) => cluster.file(`fill-${index}.service`, fleet(`MachineID=${machineID(index)}\n`)));
    const more = [1, 2, 3]
      .filter((index) => index !== before)
      .map((index) => cluster.file(`more-${index}.service`, fleet(`MachineID=${machineID(index)}\n`)));
    await cluster.ok("start", ...others, ...more);
    await cluster.ok("start", cluster.file("new.service", fleet("Replaces=old.service\n")));
    expect(await cluster.hostOf("new.service")).toBe(before);
    await cluster.until("the neighbour to run elsewhere", async () => {
      const hosts = await cluster.activeOn("old.service");
      return hosts.length === 1 && hosts[0] !== before;
    });
  });

  it("the specifier for the instance leads a unit to its partner", async () => {
    cluster.file("base@.service", SLEEP);
    cluster.file("side@.service", fleet("MachineOf=base@%i.service\n"));
    await cluster.ok("start", "base@a", "base@b", "side@a", "side@b");
    expect(await cluster.hostOf("side@a.service")).toBe(await cluster.hostOf("base@a.service"));
    expect(await cluster.hostOf("side@b.service")).toBe(await cluster.hostOf("base@b.service"));
  });

  it("the least loaded machine comes first", async () => {
    cluster.file("even@.service", SLEEP);
    await cluster.ok("start", ...Array.from({ length: 9 }, (_, index) => `even@${index}`));
    const counts = new Map<number, number>();
    for (let index = 0; index < 9; index++) {
      const host = await cluster.hostOf(`even@${index}.service`);
      counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual([3, 3, 3]);
  });

  it("a template can be submitted, never started", async () => {
    const { code, stderr } = await cluster.fleetctl("start", cluster.file("tmpl@.service", SLEEP));
    expect(code).toBe(1);
    expect(stderr).toContain("is a template");
    expect(await cluster.ok("list-unit-files", "--no-legend", "--fields=unit,dstate")).toBe(
      "tmpl@.service\tinactive\n",
    );
  });

  it("dynamic metadata moves units at once, both kinds", async () => {
    await cluster.ok(
      "start",
      cluster.file("dyn.service", fleet("MachineMetadata=zone=b\n")),
      cluster.file("glob.service", fleet("Global=true\nMachineMetadata=zone=b\n")),
      "--no-block",
    );
    const patch = (op: string, index: number, value?: string) =>
      cluster.api.send("PATCH", "/machines", [{ op, path: `/${machineID(index)}/metadata/zone`, value }]);
    expect((await patch("add", 2, "b")).status).toBe(204);
    const on = async (unit: string) => (await cluster.activeOn(unit)).join();
    await cluster.until(
      "the units to run on h2",
      async () => (await on("dyn.service")) === "2" && (await on("glob.service")) === "2",
    );
    await patch("add", 3, "b");
    await patch("remove", 2);
    await cluster.until(
      "the units to run on h3",
      async () => (await on("dyn.service")) === "3" && (await on("glob.service")) === "3",
    );
    // It is the cluster's, not the daemons': neither a new agent nor a new API forgets it.
    await cluster.cluster.network.must(3, "systemctl", "kill", "-s", "KILL", "fleet-agent.service");
    await cluster.cluster.network.must(1, "systemctl", "restart", "fleet-api.service");
    await cluster.until("the agent to be back", async () => {
      const { stdout } = await cluster.cluster.network.exec(3, ["systemctl", "is-active", "fleet-agent.service"]);
      return stdout.trim() === "active";
    });
    expect(await cluster.ok("list-machines", "--no-legend", "--fields=metadata")).toContain("zone=b");
    expect([await on("dyn.service"), await on("glob.service")]).toEqual(["3", "3"]);
    await patch("remove", 3);
  });
});

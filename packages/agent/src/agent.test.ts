import { hostname } from "node:os";
import { hashText } from "@fleet/domain/unit";
import { NOWHERE } from "@fleet/domain/whereabouts";
import { describe, expect, it, vi } from "vitest";
import { TEXT, testMachine } from "./testing/test-machine.ts";

const machine = testMachine();

/** A machine that runs `a.service` since before its agent, which starts anew. */
async function restarted(): Promise<void> {
  const earlier = await machine().start();
  await machine().put("a.service");
  await machine().untilUp("a.service");
  await machine().stop(earlier, "keep");
}

/** Does something that may take so much time of the clock. */
async function within(milliseconds: number, work: () => Promise<void>): Promise<void> {
  const before = performance.now();
  await work();
  expect(performance.now() - before).toBeLessThan(milliseconds);
}

describe("an agent that starts", () => {
  it("enters its machine, runs what is scheduled to it, and publishes what systemd says", async () => {
    await machine().put("a.service");
    await machine().put("b.service", { desiredState: "loaded" });
    const agent = await machine().start();
    await agent.entered;
    await machine().untilUp("a.service");
    await machine().until("b.service to be published", () => machine().published("b.service")?.current === "loaded");
    expect(machine().published("a.service")).toMatchObject({
      current: "launched",
      error: null,
      systemd: { sub: "running" },
    });
    expect(machine().calls).toEqual(["load a.service", "load b.service", "start a.service"]);
    expect(machine().isInRegistry).toBe(true);
  });
  it("tells its machine's host name, by which users call it", async () => {
    const agent = await machine().start();
    await agent.entered;
    const { registry, id, etcd } = machine();
    for (const key of [registry.keys.machine(id), registry.keys.knownMachine(id)])
      expect(JSON.parse(etcd.store.value(key) ?? "")).toMatchObject({ hostname: hostname() });
  });
  it("touches nothing that runs as it is wanted", async () => {
    await restarted();
    const before = machine().calls.length;
    await machine().start();
    await machine().pass(60_000);
    expect(machine().calls.slice(before)).toEqual([]);
    expect(machine().published("a.service")).toMatchObject({ current: "launched" });
  });
  it("stops nothing before it has read its part of the registry whole", async () => {
    await restarted();
    const { etcd } = machine();
    const range = etcd.range.bind(etcd);
    const gate = Promise.withResolvers<void>();
    vi.spyOn(etcd, "range").mockImplementation(async (asked, options) => {
      if (asked.start.includes("schedule/")) await gate.promise;
      return range(asked, options);
    });
    const agent = await machine().start();
    await agent.entered;
    await machine().pass(60_000);
    expect(machine().isUp("a.service")).toBe(true);
    await machine().destroy("a.service");
    gate.resolve();
    await machine().until("a.service to be unloaded", () => machine().calls.at(-1) === "unload a.service");
  });
  it("stops nothing while etcd can't be reached", async () => {
    await restarted();
    machine().etcd.fail("all", "unavailable");
    await machine().destroy("a.service");
    await machine().start();
    await machine().pass(60_000);
    expect(machine().isUp("a.service")).toBe(true);
    machine().etcd.fail("all", null);
    await machine().until("a.service to be unloaded", () => machine().calls.at(-1) === "unload a.service");
  });
  it("does nothing before its machine has entered the registry", async () => {
    await machine().put("a.service");
    machine().etcd.fail("grantLease", "unavailable");
    await machine().start();
    await machine().pass(60_000);
    expect(machine().calls).toEqual([]);
    machine().etcd.fail("grantLease", null);
    await machine().untilUp("a.service");
  });
  it("takes back what an earlier one has left in the registry of a unit that is not there", async () => {
    await restarted();
    const { registry, id } = machine();
    const value = machine().etcd.store.value(registry.keys.state(id, "a.service")) ?? "";
    await machine().write({ put: registry.keys.state(id, "gone.service"), value });
    await machine().start();
    await machine().until("it to be gone", () => machine().published("gone.service") === null);
    expect(machine().published("a.service")).toMatchObject({ current: "launched" });
  });
  it("waits for systemd, says why once, and then runs what is wanted", async () => {
    await machine().put("a.service");
    machine().isSystemdAway = true;
    await machine().start();
    await machine().pass(30_000);
    expect(machine().logged.filter((line) => line.includes("systemd can't be used"))).toHaveLength(1);
    machine().isSystemdAway = false;
    await machine().untilUp("a.service");
  });
});

describe("a machine whose ID another agent holds", () => {
  it("does nothing with units, says so, and is not accepted; once the other is gone it enters", async () => {
    await machine().put("a.service");
    await machine().takeID();
    const agent = await machine().start();
    await machine().pass(60_000);
    expect(agent.isAccepted()).toBe(false);
    expect(machine().calls).toEqual([]);
    expect(machine().logged.join()).toMatch(/machine ID a+ is held by another agent \(at 192\.0\.2\.9\)/);
    await machine().freeID();
    await machine().untilUp("a.service");
    expect(agent.isAccepted()).toBe(true);
  });
  it("leaves alone what runs there when it is refused after it had been in", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    machine().loseLease(agent);
    await machine().takeID();
    await machine().until("the agent to be refused", () => !agent.isAccepted());
    await machine().destroy("a.service");
    await machine().put("b.service");
    await machine().pass(60_000);
    expect(machine().isUp("a.service")).toBe(true);
    expect(machine().calls).not.toContain("load b.service");
  });
});

describe("an agent that runs", () => {
  it("follows what is wanted: another version, another desired state, none at all", async () => {
    await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    await machine().put("a.service", { text: "[Service]\nExecStart=/bin/other\n" });
    const renewed = ["stop a.service", "unload a.service", "load a.service", "start a.service"];
    await machine().until("the new version", () => machine().calls.length >= 6);
    expect(machine().calls.slice(2)).toEqual(renewed);
    await machine().put("a.service", { text: "[Service]\nExecStart=/bin/other\n", desiredState: "loaded" });
    await machine().until("a.service to be loaded only", () => machine().published("a.service")?.current === "loaded");
    await machine().destroy("a.service");
    await machine().until("its state to be gone", () => machine().published("a.service") === null);
    expect(machine().calls.slice(6)).toEqual(["stop a.service", "unload a.service"]);
  });
  it("runs global units that fit its machine, and those only", async () => {
    await machine().put("here.service", { isGlobal: true });
    const text = "[Service]\nExecStart=/bin/x\n[X-Fleet]\nGlobal=true\nMachineMetadata=disk=ssd\n";
    await machine().put("ssd.service", { isGlobal: true, text });
    const agent = await machine().start();
    await machine().untilUp("here.service");
    expect(machine().calls).toEqual(["load here.service", "start here.service"]);
    const { config } = machine();
    await agent.reload({ ...config, metadata: { disk: "ssd" } });
    await machine().untilUp("ssd.service");
    await agent.reload(config);
    await machine().until("ssd.service to be gone", () => machine().published("ssd.service") === null);
    expect(machine().isUp("here.service")).toBe(true);
  });
  it.each([
    ["the record can't be read", (): string => machine().registry.keys.schedule(machine().id, "a.service"), "{"],
    ["the file is not there", (): string => machine().registry.keys.unitFile(hashText(TEXT)), null],
  ])("leaves a unit alone of which %s", async (_, key, value) => {
    await restarted();
    await machine().write(value === null ? { delete: key() } : { put: key(), value });
    await machine().start();
    await machine().pass(60_000);
    expect(machine().calls).toEqual(["load a.service", "start a.service"]);
  });
  it("keeps what runs when etcd is away, and when its watches break", async () => {
    await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    const before = machine().calls.length;
    machine().etcd.fail("all", "unavailable");
    await machine().pass(120_000);
    machine().etcd.fail("all", null);
    await machine().pass(30_000);
    machine().etcd.breakWatches();
    await machine().put("b.service");
    await machine().untilUp("b.service");
    expect(machine().calls.slice(before)).toEqual(["load b.service", "start b.service"]);
  });
  it("goes on after the connection to systemd was lost in the middle of a stop", async () => {
    await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    machine().host.hold("stop", "a.service");
    await machine().destroy("a.service");
    await machine().until("the stop", () => machine().calls.includes("stop a.service"));
    machine().systemd.close();
    await machine().until("a new connection", () => machine().connections.length === 2);
    machine().host.release("stop", "a.service");
    await machine().until("a.service to be unloaded", () => machine().calls.at(-1) === "unload a.service");
    expect(machine().isUp("a.service")).toBe(false);
  });
  it("publishes at once what becomes of a unit, also after a time in which it was not told", async () => {
    await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    const { host } = machine();
    const isPublished = (active: string): boolean => machine().published("a.service")?.systemd.active === active;
    host.crash("a.service");
    await within(1_000, () => machine().until("the failure to be published", () => isPublished("failed")));
    machine().systemd.goDeaf();
    host.start("a.service");
    await machine().pass(1_000);
    expect(isPublished("failed")).toBe(true);
    machine().systemd.goDeaf(false);
    await within(1_000, () => machine().until("the start to be published", () => isPublished("active")));
  });
  it("loads anew what somebody has taken away from systemd", async () => {
    await machine().start();
    await machine().put("a.service", { desiredState: "loaded" });
    await machine().until("a.service to be loaded", () => machine().published("a.service")?.current === "loaded");
    machine().host.removeLinks("a.service");
    await machine().pass(60_000);
    expect(machine().calls).toEqual(["load a.service", "unload a.service", "load a.service"]);
    expect(machine().published("a.service")).toMatchObject({ current: "loaded", systemd: { load: "loaded" } });
  });
});

describe("a machine that comes back after its lease was lost", () => {
  it("leaves running what was taken off it meanwhile and nobody else has, until the engine has had its time", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    machine().etcd.fail("all", "unavailable");
    await machine().pass(40_000);
    machine().loseLease(agent);
    await machine().put("a.service", {
      record: { whereabouts: { kind: "nowhere", last: machine().id, preferred: null } },
    });
    machine().etcd.fail("all", null);
    const isBack = (): boolean => (agent.snapshot() as { isConnected: boolean }).isConnected && machine().isInRegistry;
    await machine().until("the machine to be back", isBack);
    await machine().pass(500);
    await machine().put("a.service");
    await machine().pass(60_000);
    expect(machine().calls).toEqual(["load a.service", "start a.service"]);
  });
  it("leaves it running as long as etcd does not say what became of it", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    machine().loseLease(agent);
    await machine().until("the machine to be gone and back", () => machine().isInRegistry);
    machine().etcd.fail("txn", "unavailable");
    await machine().put("a.service", { record: { whereabouts: NOWHERE } });
    await machine().pass(4_000);
    expect(machine().isUp("a.service")).toBe(true);
  });
  it("stops it after that time where the engine has not given it back", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    machine().loseLease(agent);
    await machine().put("a.service", {
      record: { whereabouts: { kind: "nowhere", last: machine().id, preferred: null } },
    });
    await machine().until("the machine to be back", () => machine().isInRegistry);
    await machine().until("a.service to be unloaded", () => machine().calls.at(-1) === "unload a.service");
    expect(machine().isUp("a.service")).toBe(false);
  });
  it("stops at once what another machine has by now", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    machine().loseLease(agent);
    await machine().put("a.service", { record: { whereabouts: { kind: "placed", on: machine().other } } });
    await within(1_000, () => machine().until("a.service to be stopped", () => !machine().isUp("a.service")));
  });
  it("publishes the states of all its units anew, and takes back those of units that it has no more", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().put("b.service");
    await machine().untilUp("a.service");
    await machine().untilUp("b.service");
    machine().loseLease(agent);
    expect(machine().published("a.service")).toBeNull();
    await machine().destroy("b.service");
    await machine().until("the machine to be back", () => machine().isInRegistry);
    await within(1_000, () => machine().untilUp("a.service"));
    await machine().until("b.service to be gone", () => !machine().isUp("b.service"));
    await machine().pass(1_000);
    expect(machine().published("b.service")).toBeNull();
  });
});

describe("an agent that leaves", () => {
  it("stops and unloads its units, and takes its machine and their states out of the registry", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().put("b.service", { desiredState: "loaded" });
    await machine().untilUp("a.service");
    await machine().stop(agent, "unload");
    expect([...machine().calls].sort().slice(-3)).toEqual(["stop a.service", "unload a.service", "unload b.service"]);
    expect([machine().isInRegistry, machine().published("a.service")]).toEqual([false, null]);
  });
  it("leaves its units running and its machine in the registry where it is to keep them", async () => {
    const agent = await machine().start({ unitsOnShutdown: "keep" });
    await machine().put("a.service");
    await machine().untilUp("a.service");
    await within(1_000, () => machine().stop(agent, "keep"));
    expect(machine().calls).toEqual(["load a.service", "start a.service"]);
    expect(machine().isUp("a.service")).toBe(true);
    expect([machine().isInRegistry, machine().published("a.service")?.current]).toEqual([true, "launched"]);
  });
  it("stops nothing more where it is to keep units, also when a stop that it waits for ends", async () => {
    const agent = await machine().start();
    for (const name of ["a.service", "b.service"]) await machine().put(name);
    for (const name of ["a.service", "b.service"]) await machine().untilUp(name);
    machine().host.hold("stop", "b.service");
    await machine().destroy("b.service");
    await machine().until("the stop", () => machine().calls.includes("stop b.service"));
    setTimeout(() => machine().host.release("stop", "b.service"), 1_000);
    await machine().stop(agent, "keep");
    expect([machine().isUp("a.service"), machine().isUp("b.service")]).toEqual([true, false]);
  });
  it("leaves its machine in the registry where it is to keep units, also when there are none", async () => {
    const agent = await machine().start();
    await agent.entered;
    await machine().stop(agent, "keep");
    expect(machine().isInRegistry).toBe(true);
  });
  it("leaves its machine in the registry while a unit can't be stopped: it must not run twice", async () => {
    const agent = await machine().start();
    await machine().put("a.service");
    await machine().put("b.service");
    await machine().untilUp("a.service");
    await machine().untilUp("b.service");
    machine().systemd.refuse("stop a.service");
    await machine().stop(agent, "unload");
    expect([machine().isInRegistry, machine().isUp("a.service"), machine().isUp("b.service")]).toEqual([
      true,
      true,
      false,
    ]);
    expect(machine().logged.join()).toContain("some units could not be unloaded");
  });
  it("stops its units also where the registry was never read", async () => {
    await restarted();
    machine().etcd.fail("all", "unavailable");
    const agent = await machine().start();
    await machine().pass(5_000);
    await machine().stop(agent, "unload");
    expect(machine().isUp("a.service")).toBe(false);
  });
  it("does not wait long for a systemd that it can't reach", async () => {
    machine().isSystemdAway = true;
    const agent = await machine().start();
    await machine().pass(1_000);
    await within(10_000, () => machine().stop(agent, "unload"));
  });
});

describe("units that must not outlive the lease of their machine", () => {
  const text = "[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nOnPartition=stop\n";
  const beats = (): number => machine().etcd.asked.get("keepLeaseAlive") ?? 0;

  it("are started once a watchdog will stop them, which is told of heart-beats five times in a lease's time", async () => {
    await machine().start();
    await machine().put("a.service");
    await machine().untilUp("a.service");
    await machine().put("f.service", { text });
    await within(1_000, () => machine().untilUp("f.service"));
    expect([...new Set(machine().calls.slice(2))]).toEqual([
      "ensureService fleet-fence.service",
      "ensureService fleet-fence-spare.service",
      "load f.service",
      "start f.service",
    ]);
    const before = beats();
    await machine().pass(30_000);
    expect(beats() - before).toBe(5);
    await machine().destroy("f.service");
    await machine().until("f.service to be gone", () => machine().published("f.service") === null);
    await machine().pass(6_000);
    const later = beats();
    await machine().pass(30_000);
    expect(beats() - later).toBe(2);
  });
  it("wait while the watchdog can't be armed", async () => {
    await machine().start();
    const watchdogs = ["fleet-fence.service", "fleet-fence-spare.service"];
    for (const name of watchdogs) machine().systemd.refuse(`ensureService ${name}`);
    await machine().put("f.service", { text });
    await machine().pass(30_000);
    expect(machine().isUp("f.service")).toBe(false);
    machine().systemd.refuse("ensureService fleet-fence.service", null);
    await machine().untilUp("f.service");
  });
  it("are stopped where their watchdog is lost and its name somebody else's, say so, and start again with a watchdog", async () => {
    const { host } = machine();
    await machine().start();
    await machine().put("f.service", { text });
    await machine().put("a.service");
    await machine().untilUp("f.service");
    await machine().untilUp("a.service");
    host.hold("stop", "f.service");
    const watchdogs = ["fleet-fence.service", "fleet-fence-spare.service"];
    for (const name of watchdogs) host.ownFile(name, `/etc/${name}`);
    for (const name of watchdogs) host.crash(name);
    await within(100, () => machine().until("the stop", () => machine().calls.at(-1) === "stop f.service"));
    // A unit that takes no notice is killed well within the lease's time.
    await within(7_000, () => machine().until("it to be killed", () => !machine().isUp("f.service")));
    const told = "/etc/fleet-fence.service";
    await machine().until("the reason", () => machine().published("f.service")?.error?.includes(told) === true);
    await machine().pass(30_000);
    expect([machine().isUp("f.service"), machine().isUp("a.service")]).toEqual([false, true]);
    expect(machine().logged.filter((line) => line.includes("their watchdog could not be armed"))).toHaveLength(1);
    host.ownFile("fleet-fence.service", null);
    await machine().untilUp("f.service");
    await machine().until("no error", () => machine().published("f.service")?.error === null);
  });
  it("have the spare of their watchdog where somebody has taken its name", async () => {
    const { host } = machine();
    await machine().start();
    host.ownFile("fleet-fence.service", "/etc/fleet-fence.service");
    await machine().put("f.service", { text });
    await machine().untilUp("f.service");
    expect(machine().isUp("fleet-fence-spare.service")).toBe(true);
  });
  it("have their watchdog back at once where it was stopped", async () => {
    await machine().start();
    await machine().put("f.service", { text });
    await machine().untilUp("f.service");
    machine().host.crash("fleet-fence.service");
    await within(100, () => machine().until("the watchdog", () => machine().isUp("fleet-fence.service")));
    expect(machine().isUp("f.service")).toBe(true);
  });
  it("are started again once the lease is kept again, after the watchdog has stopped them", async () => {
    await machine().start();
    await machine().put("f.service", { text });
    await machine().untilUp("f.service");
    machine().etcd.fail("keepLeaseAlive", "unavailable");
    await machine().pass(20_000);
    await machine().watchdogStops("f.service");
    await machine().pass(5_000);
    expect(machine().isUp("f.service")).toBe(false);
    machine().etcd.fail("keepLeaseAlive", null);
    await machine().untilUp("f.service");
  });
  it("are not started again where etcd has taken them off the machine meanwhile", async () => {
    await machine().start();
    await machine().put("f.service", { text });
    await machine().untilUp("f.service");
    machine().etcd.fail("all", "unavailable");
    await machine().pass(20_000);
    await machine().watchdogStops("f.service");
    machine().etcd.hold("watch");
    machine().etcd.fail("all", null);
    await machine().put("f.service", { text, record: { whereabouts: { kind: "placed", on: machine().other } } });
    await machine().pass(20_000);
    expect(machine().isUp("f.service")).toBe(false);
  });
});

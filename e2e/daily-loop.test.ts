import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());
afterEach(() => cluster.clear());

const ID = "[0-9a-f]{8}\\.\\.\\./10\\.[0-9.]+";
const line = (text: string): RegExp => new RegExp(`^${text}\n$`);

describe("the daily loop, by fleetctl and by the hosts' own systemctl", () => {
  it("submit makes a unit known, once, and runs it nowhere", async () => {
    const file = cluster.file("hello.service", SLEEP);
    expect(await cluster.ok("submit", file)).toBe("Unit hello.service inactive\n");
    expect(await cluster.ok("submit", file)).toBe("");
    expect(await cluster.ok("list-unit-files")).toBe(
      "UNIT\t\tHASH\tDSTATE\t\tSTATE\t\tTARGET\nhello.service\t8385c91\tinactive\tinactive\t-\n",
    );
    expect(await cluster.ok("list-units")).toBe("UNIT\tMACHINE\tACTIVE\tSUB\n");
    expect(await cluster.activeOn("hello.service")).toEqual([]);
  });

  it("load puts it into one machine's systemd, linked at run time and not started", async () => {
    const file = cluster.file("hello.service", SLEEP);
    expect(await cluster.ok("load", file)).toMatch(
      line(`Unit hello.service inactive\nUnit hello.service loaded on ${ID}`),
    );
    const loaded: string[] = [];
    for (const index of [1, 2, 3]) loaded.push(await cluster.show(index, "hello.service", "LoadState"));
    expect(loaded.toSorted()).toEqual(["loaded", "not-found", "not-found"]);
    const index = loaded.indexOf("loaded") + 1;
    expect(await cluster.show(index, "hello.service", "ActiveState")).toBe("inactive");
    const { stdout } = await cluster.cluster.network.exec(index, ["systemctl", "is-enabled", "hello.service"]);
    expect(stdout.trim()).toBe("linked-runtime");
    expect(await cluster.cluster.network.must(index, "cat", "/run/fleet/units/hello.service")).toBe(SLEEP);
  });

  it("start waits until systemd has it active; stop, start, unload and destroy lead there and back", async () => {
    const file = cluster.file("hello.service", SLEEP);
    expect(await cluster.ok("start", file)).toMatch(
      line(`Unit hello.service inactive\nUnit hello.service launched on ${ID}`),
    );
    const host = await cluster.hostOf("hello.service");
    expect(await cluster.ok("list-units", "--no-legend")).toMatch(line(`hello\\.service\t${ID}\tactive\trunning`));

    const stopped = await cluster.fleetctl("stop", "hello");
    expect(stopped.stdout).toMatch(line(`Unit hello.service loaded on ${ID}`));
    expect(stopped.stderr).toBe("Successfully stopped units [hello.service].\n");
    expect(await cluster.show(host, "hello.service", "ActiveState")).toBe("inactive");
    expect(await cluster.show(host, "hello.service", "LoadState")).toBe("loaded");

    expect(await cluster.ok("start", "hello")).toMatch(line(`Unit hello.service launched on ${ID}`));
    expect(await cluster.hostOf("hello.service")).toBe(host);

    const unloaded = await cluster.fleetctl("unload", "hello");
    expect(unloaded).toMatchObject({
      code: 0,
      stdout: "Unit hello.service inactive\n",
      stderr: "Successfully unloaded units [hello.service].\n",
    });
    expect(await cluster.show(host, "hello.service", "LoadState")).toBe("not-found");
    expect(await cluster.ok("list-unit-files", "--no-legend", "--fields=unit,dstate")).toBe(
      "hello.service\tinactive\n",
    );

    await cluster.ok("start", "hello");
    const last = await cluster.hostOf("hello.service");
    expect(await cluster.ok("destroy", "hello")).toBe("Destroyed hello.service\n");
    expect(await cluster.ok("list-unit-files", "--no-legend")).toBe("");
    const { network } = cluster.cluster;
    expect((await network.exec(last, ["systemctl", "is-enabled", "hello.service"])).stderr).toContain("No such file");
    expect(await network.must(last, "find", "/run/systemd/system", "/run/fleet/units", "-name", "hello*")).toBe("");
    expect(await network.must(last, "systemctl", "list-units", "--all", "--no-legend", "hello*")).toBe("");
  });

  it("unload waits until the unit has stopped", async () => {
    await cluster.ok("start", cluster.file("slow.service", `${SLEEP}ExecStop=/bin/sleep 2\n`));
    const host = await cluster.hostOf("slow.service");
    await cluster.ok("unload", "slow");
    expect(await cluster.show(host, "slow.service", "ActiveState")).toBe("inactive");
    expect(await cluster.ok("list-units", "--no-legend")).toBe("");
  });

  it("cat gives the text back byte for byte", async () => {
    const text =
      "[Unit]\nDescription=ä \\\n  b\n\n[Service]\nEnvironment=\nExecStart=/bin/sleep infinity\n\n[X-Fleet]\nConflicts=x*\n";
    await cluster.ok("submit", cluster.file("text.service", text));
    expect(await cluster.ok("cat", "text")).toBe(text);
  });

  it("start handles instances of a template, from the registry and from a file", async () => {
    await cluster.ok("submit", cluster.file("web@.service", SLEEP));
    expect(
      (await cluster.ok("start", "web@1", "web@2", "web@3")).split("\n").filter((entry) => entry.includes("launched")),
    ).toHaveLength(3);
    const hosts = await Promise.all([1, 2, 3].map((n) => cluster.hostOf(`web@${n}.service`)));
    expect(hosts.toSorted()).toEqual([1, 2, 3]);
    cluster.file("job@.service", SLEEP);
    await cluster.ok("start", "job@x");
    await cluster.hostOf("job@x.service");
  });

  it("start starts many units as one operation", async () => {
    cluster.file("many@.service", SLEEP);
    const names = Array.from({ length: 60 }, (_, index) => `many@${index}`);
    const printed = await cluster.ok("start", ...names);
    expect(printed.split("\n").filter((entry) => /^Unit many@\d+\.service launched on /.test(entry))).toHaveLength(60);
    const states = await cluster.ok("list-units", "--no-legend", "--fields=unit,active,sub");
    expect(
      states
        .trim()
        .split("\n")
        .every((entry) => /^many@\d+\.service\tactive\trunning$/.test(entry)),
    ).toBe(true);
  });

  it("a new version replaces the text and restarts the unit on its machine", async () => {
    const file = cluster.file("app.service", SLEEP);
    await cluster.ok("start", file);
    const host = await cluster.hostOf("app.service");
    const before = await cluster.show(host, "app.service", "InvocationID");
    cluster.file("app.service", "[Service]\nExecStart=/bin/sleep 10000\n");
    const warned = await cluster.fleetctl("start", file);
    expect(warned.stderr).toBe(
      `WARNING: Unit app.service in registry differs from local unit file ${file}. Add --replace to override.\n`,
    );
    await cluster.ok("start", "--replace", file);
    expect(await cluster.hostOf("app.service")).toBe(host);
    expect(await cluster.show(host, "app.service", "InvocationID")).not.toBe(before);
    expect(await cluster.show(host, "app.service", "ExecStart")).toContain("sleep 10000");
    expect(await cluster.ok("start", "--replace", file)).toContain(
      "Found same Unit(app.service) in Registry, nothing to do\n",
    );
  });

  it("a unit with [Install] is enabled, and disabled when it goes", async () => {
    await cluster.ok("start", cluster.file("inst.service", `${SLEEP}[Install]\nWantedBy=multi-user.target\n`));
    const host = await cluster.hostOf("inst.service");
    const { stdout } = await cluster.cluster.network.exec(host, ["systemctl", "is-enabled", "inst.service"]);
    expect(stdout.trim()).toBe("enabled-runtime");
    await cluster.ok("destroy", "inst");
    expect(await cluster.cluster.network.must(host, "find", "/run/systemd/system", "-name", "inst*")).toBe("");
  });

  it("start waits for a unit whose start waits for another's, and shows it as on its way", async () => {
    const first =
      "[Service]\nType=oneshot\nRemainAfterExit=true\nExecStart=/bin/sh -c 'until test -e /run/first; do sleep 0.1; done'\n";
    await cluster.ok("start", "--no-block", cluster.file("first.service", first));
    await cluster.until("it to start", async () =>
      (await cluster.ok("list-units", "--no-legend")).includes("activating"),
    );
    const second = cluster.file(
      "second.service",
      `[Unit]\nAfter=first.service\n${SLEEP}[X-Fleet]\nMachineOf=first.service\n`,
    );
    const starting = cluster.fleetctl("start", second);
    await cluster.until("its start to be queued", async () =>
      /second\.service\tactivating\twaiting/.test(
        await cluster.ok("list-units", "--no-legend", "--fields=unit,active,sub"),
      ),
    );
    const { network } = cluster.cluster;
    for (const index of network.hosts.keys()) await network.must(index, "touch", "/run/first");
    expect((await starting).code).toBe(0);
    await cluster.hostOf("second.service");
  });

  it("restart gives a unit a new invocation", async () => {
    await cluster.ok("start", cluster.file("again.service", SLEEP));
    const host = await cluster.hostOf("again.service");
    const before = await cluster.show(host, "again.service", "InvocationID");
    await cluster.ok("restart", "again");
    expect(await cluster.show(host, "again.service", "InvocationID")).not.toBe(before);
  });

  it("list-machines shows the machines with address and sorted metadata", async () => {
    const { prefix } = cluster.cluster.network;
    expect(await cluster.ok("list-machines", "--no-legend", "--fields=ip,metadata")).toBe(
      `${prefix}.11\thost=h1,rack=r1\n${prefix}.12\thost=h2,rack=r0\n${prefix}.13\thost=h3,rack=r1\n`,
    );
  });

  it("what fails while many others start, one of them slowly, is seen all the same", async () => {
    const wait = "/bin/sh -c 'until test -e /run/go; do sleep 0.1; done'";
    const slow = cluster.file("slow.service", `[Service]\nType=oneshot\nExecStart=${wait}\n`);
    cluster.file("crowd@.service", SLEEP);
    const dying = cluster.file("dying.service", "[Service]\nExecStart=/bin/sh -c 'sleep 1; exit 3'\n");
    const crowd = Array.from({ length: 60 }, (_, index) => `crowd@${index}`);
    await cluster.ok("submit", slow, dying, ...crowd);
    await cluster.ok("start", "--no-block", "slow", "dying", ...crowd);
    await cluster.until(
      "the failure to be reported",
      async () =>
        /dying\.service	+failed/.test(await cluster.ok("list-units", "--no-legend")) ||
        /dying\.service	.*	failed/.test(await cluster.ok("list-units", "--no-legend")),
    );
    expect(await cluster.ok("list-units", "--no-legend")).toMatch(/slow\.service	.*	activating	start/);
    const { network } = cluster.cluster;
    for (const index of network.hosts.keys()) await network.must(index, "touch", "/run/go");
    await cluster.until("the slow one to have ended", async () =>
      /slow\.service	.*	inactive	dead/.test(await cluster.ok("list-units", "--no-legend")),
    );
  });

  it("what systemd restarts or stops by itself is seen", async () => {
    await cluster.ok("start", cluster.file("crash.service", SLEEP));
    const host = await cluster.hostOf("crash.service");
    await cluster.cluster.network.must(host, "systemctl", "kill", "-s", "KILL", "crash.service");
    await cluster.until("the failure to be reported", async () =>
      (await cluster.ok("list-units", "--no-legend", "--fields=unit,active")).includes("crash.service\tfailed"),
    );
  });
});

describe("what goes wrong is said", () => {
  it("a unit that fails ends the wait with exit code 1 and the reason", async () => {
    const { code, stderr } = await cluster.fleetctl(
      "start",
      cluster.file("bad.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n"),
    );
    expect(code).toBe(1);
    expect(stderr).toContain("Error: unit bad.service failed");
    expect(await cluster.ok("explain", "bad")).toMatch(/^Unit bad\.service: failed on /);
  });
  it("a unit that systemd refuses says why, and does not hold up another", async () => {
    const bad = cluster.file("nothing.service", "[Service]\nType=simple\n");
    const started = await cluster.fleetctl("start", bad, cluster.file("good.service", SLEEP));
    expect(started.code).toBe(1);
    expect(started.stderr).toMatch(/Error: unit nothing\.service could not be launched: .*bad unit file setting/);
    expect(await cluster.ok("explain", "nothing")).toMatch(/^Unit nothing\.service: error on .*bad unit file setting/);
    await cluster.hostOf("good.service");
  });
  it("a wait that runs out says for what it waited", async () => {
    const file = cluster.file("nowhere.service", `${SLEEP}[X-Fleet]\nMachineMetadata=no=where\n`);
    const { code, stderr } = await cluster.fleetctl("start", "--block-attempts=1", file);
    expect(code).toBe(1);
    expect(stderr).toContain(
      "Error: timed out waiting for nowhere.service to be launched and active: nowhere.service is pending",
    );
  });
  it.each([
    [
      "a malformed unit file",
      "broken.service",
      "[Service]\nExecStart\n",
      /broken\.service: line 2: expected Name=value/,
    ],
    [
      "a forbidden combination",
      "combo.service",
      `${SLEEP}[X-Fleet]\nGlobal=true\nMachineOf=a.service\n`,
      /Global and MachineOf/,
    ],
    ["an empty file", "empty.service", "", /no options/],
  ])("%s is refused and leaves nothing behind", async (_what, name, text, reason) => {
    const { code, stderr } = await cluster.fleetctl("start", cluster.file(name, text));
    expect(code).toBe(1);
    expect(stderr).toMatch(reason);
    expect(await cluster.ok("list-unit-files", "--no-legend")).toBe("");
  });
  it("an unknown field, command or flag is an error, not a guess", async () => {
    expect(await cluster.fleetctl("list-units", "--fields=nope")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Error: Invalid key in output format: "nope": expected some of unit, machine, /),
    });
    expect((await cluster.fleetctl("frobnicate")).code).toBe(1);
    expect((await cluster.fleetctl("stop", "--sideways", "x")).code).toBe(1);
    expect(await cluster.fleetctl("stop", "no-such")).toMatchObject({
      code: 0,
      stderr: "Units not found in registry\nUnit no-such.service does not exist.\n",
    });
    expect(await cluster.fleetctl("cat", "no-such")).toMatchObject({
      code: 1,
      stderr: "Error: Unit no-such.service not found\n",
    });
  });
});

import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestCluster } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterEach(() => cluster.clear());
afterAll(() => cluster?.stop());

/** Answers HTTP on port 8090 with its version, finishes what it has begun when it is stopped, and takes a while to start. */
const SERVER = `use IO::Socket::INET; $SIG{TERM} = sub { $stop = 1 };
my $server = IO::Socket::INET->new(LocalPort => 8090, Listen => 64, ReuseAddr => 1) or die "no port";
until ($stop) { my $peer = $server->accept or next; while (<$peer>) { last if /^\\r\\n/ }
print $peer "HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n$ARGV[0]"; close $peer }`;
const web = (version: string): string =>
  `# ${version}\n[Service]\nType=exec\nExecStartPre=/bin/sleep 0.3\nExecStart=/usr/bin/perl /run/fleet-test-server.pl ${version}\n[X-Fleet]\nConflicts=web@*.service\n`;
const PLAIN = (version: string): string => `[Service]\nType=exec\nExecStart=/bin/sleep 100000${version}\n`;
const FAILS = "[Service]\nType=exec\nExecStart=/bin/sh -c 'sleep 0.4; exit 7'\n";
const CRASHES = "[Service]\nType=exec\nRestart=always\nRestartSec=0\nExecStart=/bin/sh -c 'sleep 1; exit 7'\n";

/** The text that each of some units has in the cluster. */
async function textsOf(...names: readonly string[]): Promise<readonly string[]> {
  return Promise.all(names.map((name) => cluster.ok("cat", name)));
}

/** What a host answers; null: nothing. */
function ask(address: string): Promise<string | null> {
  return new Promise((resolve) => {
    const request = get({ host: address, port: 8090, timeout: 2_000, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve(text === "" ? null : text));
      response.on("error", () => resolve(null));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(null));
  });
}

/** Asks whichever of the hosts answers, as a proxy before them does, again and again. */
class Load {
  readonly answers: string[] = [];
  failures = 0;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;

  constructor(addresses: readonly string[]) {
    this.#done = this.#run(addresses);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  async #run(addresses: readonly string[]): Promise<void> {
    for (let count = 0; !this.#stopping.signal.aborted; count++) {
      const turned = [...addresses.slice(count % addresses.length), ...addresses.slice(0, count % addresses.length)];
      let answer: string | null = null;
      for (const address of turned) answer ??= await ask(address);
      if (answer === null) this.failures++;
      else this.answers.push(answer);
      await sleep(5);
    }
  }
}

describe("a roll", () => {
  it("of two instances loses no request, and leaves its reason in their histories", async () => {
    const { network } = cluster.cluster;
    for (const index of network.hosts.keys())
      await network.must(index, "sh", "-c", `cat >/run/fleet-test-server.pl <<'END'\n${SERVER}\nEND`);
    await cluster.ok("start", cluster.file("web@1.service", web("v1")), cluster.file("web@2.service", web("v1")));
    const load = new Load([...network.hosts.values()].map(({ address }) => address));
    await cluster.until("the first version to answer", () => load.answers.length > 20);
    // What comes before both answer is none of the roll's.
    load.failures = 0;
    const files = [cluster.file("web@1.service", web("v2")), cluster.file("web@2.service", web("v2"))];
    const said = await cluster.ok("start", "--replace", "--roll", "--settle", "1", "-m", "new port", ...files);
    await load.stop();
    expect(load.failures).toBe(0);
    expect([load.answers[0], load.answers.at(-1)]).toEqual(["v1", "v2"]);
    expect(said).toMatch(/Roll \d+ begun: replace 2 units, at most 1 down at a time/);
    expect(said).toMatch(/Roll \d+ done \(2 of 2 done\)/);
    expect(await cluster.ok("history", "web@1.service")).toMatch(/roll \d+: new port/);
    expect(await textsOf("web@1.service", "web@2.service")).toEqual([web("v2"), web("v2")]);
  });

  it("of a template rolls its instances, stops at one that fails, and undoes when it is told to", async () => {
    const names = ["app@1.service", "app@2.service", "app@3.service"];
    await cluster.ok("submit", cluster.file("app@.service", PLAIN("1")));
    await cluster.ok("start", ...names);
    const before = await textsOf(...names);
    const file = cluster.file("app@.service", FAILS);
    const { code, stderr } = await cluster.fleetctl("start", "--replace", "--roll", "--settle", "1", file);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /roll \d+ failed: app@1\.service failed: exit status 7 \(exit-code\) \(0 of 3 done, 1 failed, 2 waiting\)/i,
    );
    expect((await textsOf(...names)).map((text) => text.includes("exit 7"))).toEqual([true, false, false]);
    expect(await cluster.ok("roll", "undo")).toMatch(/undone/);
    expect(await textsOf(...names)).toEqual(before);
    for (const name of names) expect(await cluster.activeOn(name)).toHaveLength(1);
  });

  it("undoes by itself where a unit crashes within the settle time", async () => {
    const names = ["c@1.service", "c@2.service"];
    await cluster.ok("start", ...names.map((name) => cluster.file(name, PLAIN("1"))));
    const before = await textsOf(...names);
    const files = [cluster.file("c@1.service", PLAIN("2")), cluster.file("c@2.service", CRASHES)];
    const args = ["--replace", "--roll", "--settle", "3", "--on-failure", "undo"];
    const { code, stderr } = await cluster.fleetctl("start", ...args, ...files);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/roll \d+ undone: c@2\.service /i)]);
    expect(await textsOf(...names)).toEqual(before);
  });

  it("pauses after its canary, outlives the engine that leads, and goes on when it is resumed", async () => {
    const names = ["k@1.service", "k@2.service", "k@3.service"];
    await cluster.ok("start", ...names.map((name) => cluster.file(name, PLAIN("1"))));
    const files = names.map((name) => cluster.file(name, PLAIN("2")));
    const said = await cluster.ok("start", "--replace", "--roll", "--settle", "1", "--canary", "1", ...files);
    expect(said).toContain("paused: 1 of 3 are done");
    expect((await textsOf(...names)).map((text) => text.includes("1000002"))).toEqual([true, false, false]);
    const second = await cluster.fleetctl(
      "start",
      "--replace",
      "--roll",
      ...names.map((name) => cluster.file(name, PLAIN("3"))),
    );
    expect([second.code, second.stderr]).toEqual([
      1,
      expect.stringMatching(/k@1\.service is in roll \d+, which is not over/),
    ]);
    await cluster.ok("roll", "resume", "--no-block");
    const leader = await leaderHost();
    await cluster.cluster.network.must(leader, "systemctl", "kill", "-s", "KILL", "fleet-engine.service");
    expect(await cluster.ok("roll", "status", "-w")).toMatch(/done \(3 of 3 done\)/);
    expect((await textsOf(...names)).every((text) => text.includes("1000002"))).toBe(true);
  });

  it("comes to its end though etcd stands still in the middle of it, and a machine is lost", async () => {
    const { network } = cluster.cluster;
    const names = ["m@1.service", "m@2.service", "m@3.service"];
    await cluster.ok("start", ...names.map((name) => cluster.file(name, PLAIN("1"))));
    const lost = await cluster.hostOf("m@3.service");
    const files = names.map((name) => cluster.file(name, PLAIN("2")));
    await cluster.ok(
      "start",
      "--replace",
      "--roll",
      "--settle",
      "2",
      "--max-unavailable",
      "67%",
      "--no-block",
      ...files,
    );
    await cluster.until(
      "the first unit to have its new version",
      async () => (await textsOf("m@1.service"))[0]?.includes("1000002") === true,
    );
    await cluster.cluster.signalMember(0, "STOP");
    await sleep(2_500);
    await cluster.cluster.signalMember(0, "CONT");
    // Its API is the one that is asked: only an agent's machine may go.
    if (lost !== 1) await network.cut(lost);
    const { code, stdout, stderr } = await cluster.fleetctl("roll", "status", "-w");
    if (lost !== 1) await network.heal(lost);
    expect([code, stdout, stderr]).toEqual([0, expect.stringContaining("done (3 of 3 done)"), expect.anything()]);
    expect((await textsOf(...names)).every((text) => text.includes("1000002"))).toBe(true);
    for (const name of names)
      await cluster.until(`${name} to run once`, async () => (await cluster.activeOn(name)).length === 1);
  }, 120_000);

  it("starts what it has stopped before it is cancelled", async () => {
    const names = ["x@1.service", "x@2.service"];
    const slow = `${PLAIN("1")}ExecStop=/bin/sleep 2\n`;
    await cluster.ok("start", ...names.map((name) => cluster.file(name, slow)));
    await cluster.ok("restart", "--roll", "--settle", "0", "--no-block", "x@*");
    await cluster.until("the first unit to be stopped", async () =>
      /x@1\.service\s+stopping/.test(await cluster.ok("roll", "status")),
    );
    await cluster.ok("roll", "cancel");
    await cluster.until("the roll to be over", async () =>
      /Status: {2}cancelled:/.test(await cluster.ok("roll", "status")),
    );
    for (const name of names) expect(await cluster.activeOn(name)).toHaveLength(1);
  });

  it("restarts units named by a glob, and leaves one alone that is changed by hand meanwhile", async () => {
    const names = ["r@1.service", "r@2.service", "r@3.service"];
    await cluster.ok("start", ...names.map((name) => cluster.file(name, PLAIN("1"))));
    const ids = async (): Promise<readonly string[]> =>
      Promise.all(names.map(async (name) => cluster.show(await cluster.hostOf(name), name, "InvocationID")));
    const before = await ids();
    await cluster.ok("restart", "--roll", "--settle", "0", "r@*");
    const after = await ids();
    expect(after.filter((id, index) => id === before[index])).toEqual([]);
    await cluster.ok("restart", "--roll", "--settle", "2", "--no-block", "r@*");
    await cluster.ok("stop", "r@3.service");
    const said = await cluster.fleetctl("roll", "status", "-w");
    expect(said.stdout).toContain("1 left alone");
    expect(await cluster.activeOn("r@3.service")).toEqual([]);
  });

  it("fails where a version fits nowhere, before anything stops, and refuses what can't be", async () => {
    await cluster.ok("start", cluster.file("n.service", PLAIN("1")));
    const homeless = cluster.file("n.service", `${PLAIN("2")}[X-Fleet]\nMachineMetadata=host=nowhere\n`);
    const { code, stderr } = await cluster.fleetctl("start", "--replace", "--roll", homeless);
    expect([code, stderr]).toEqual([1, expect.stringContaining("unit n.service was not replaced and keeps running")]);
    const forced = await cluster.fleetctl("start", "--replace", "--roll", "--force", "--on-failure", "undo", homeless);
    expect([forced.code, forced.stderr]).toEqual([1, expect.stringContaining("n.service fits nowhere")]);
    expect(await cluster.activeOn("n.service")).toHaveLength(1);
    const refused = async (...args: readonly string[]): Promise<string> => (await cluster.fleetctl(...args)).stderr;
    expect(await refused("start", "--roll", "n.service")).toContain("--roll needs --replace");
    expect(await refused("start", "--settle", "3", "n.service")).toContain("--settle has no effect without --roll");
    expect(await refused("restart", "--roll", "--max-unavailable", "0", "n.service")).toContain(
      "expected a number from 1 on",
    );
    expect(await refused("roll", "pause")).toContain("no roll is in progress");
    expect(await refused("roll", "undo", "99")).toContain('There is no roll "99"');
    expect(await refused("roll", "stop")).toContain("expected one of list, status, pause, resume, undo, cancel");
  });
});

/** The host whose engine leads. */
async function leaderHost(): Promise<number> {
  const { network } = cluster.cluster;
  for (const index of [1, 2]) {
    const { stdout } = await network.exec(index, ["journalctl", "-u", "fleet-engine", "-o", "cat", "--no-pager"]);
    const lines = stdout
      .split("\n")
      .filter((line) => /this engine (leads|no longer leads|has stepped down)/.test(line));
    if (lines.at(-1)?.includes("this engine leads") === true) return index;
  }
  throw new Error("no engine leads");
}

import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());
afterEach(() => cluster.clear());

/** A fleetctl that goes on until it is told to end; what it has printed so far. */
function following(...args: readonly string[]) {
  const child = spawn(join(BIN, "fleetctl"), args, {
    cwd: cluster.folder,
    env: { PATH: process.env.PATH ?? "", FLEETCTL_ENDPOINT: cluster.cluster.endpoint() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return {
    printed: () => stdout,
    until: (what: string) => cluster.until(`fleetctl ${args[0]} to print ${what}`, () => stdout.includes(what)),
    interrupt: async () => {
      child.kill("SIGINT");
      return ended;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

describe("events", () => {
  it("tell a unit's whole life, while it happens and afterwards", async () => {
    const live = following("events", "-f", "life.service", "probe*.service");
    let probes = 0;
    await cluster.until("the stream to be open", async () => {
      await cluster.ok("submit", cluster.file(`probe${probes++}.service`, SLEEP));
      return live.printed().includes("submitted");
    });
    await cluster.ok("submit", cluster.file("life.service", SLEEP));
    await cluster.ok("start", "life");
    await cluster.ok("stop", "life");
    await cluster.ok("destroy", "life");
    await live.until("destroyed");
    await live.until("unloaded");
    expect(await live.interrupt()).toBe(0);
    const kinds = live
      .printed()
      .trim()
      .split("\n")
      .filter((line) => line.includes("life.service"))
      .map((line) => line.split(/ {2,}/)[1]);
    expect(kinds.filter((kind) => kind !== "unloaded" && kind !== "destroyed")).toEqual(
      expect.arrayContaining(["submitted", "scheduled", "loaded", "started", "active", "stopped"]),
    );
    const past = await cluster.ok("events", "--output=json", "life.service");
    const events = past
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; revision: number; cause: string; time: string });
    expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["submitted", "active", "destroyed"]));
    expect(events.find(({ kind }) => kind === "scheduled")?.cause).toBe(
      "the machine fits and carries the fewest units",
    );
    const revisions = events.map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  });
});

describe("list-units --watch", () => {
  it("prints what is there, and each change", async () => {
    const watching = following("list-units", "--watch", "--fields=unit,active,sub");
    await watching.until("UNIT");
    await cluster.ok("start", cluster.file("seen.service", SLEEP));
    await cluster.until("the unit to be active", () => /seen\.service\s+active\s+running/.test(watching.printed()));
    await cluster.ok("stop", "seen");
    await cluster.until("it to be inactive", () => /seen\.service\s+inactive\s+dead/.test(watching.printed()));
    await cluster.ok("destroy", "seen");
    await cluster.until("it to be gone", () => /seen\.service\s+-\s+-/.test(watching.printed()));
    expect(await watching.interrupt()).toBe(0);
  });
});

describe("explain", () => {
  it("says why a unit runs nowhere, and where it runs once it does", async () => {
    await cluster.ok(
      "start",
      "--no-block",
      cluster.file("ssd.service", `${SLEEP}[X-Fleet]\nMachineMetadata=disk=ssd\n`),
    );
    expect(await cluster.ok("explain", "ssd")).toMatch(
      /^Unit ssd\.service: pending: none of 3 machines fits\n +3 machines {2}its metadata lacks disk=ssd \(/,
    );
    const { text } = await cluster.api.send("GET", "/machines");
    const [machine] = (JSON.parse(text) as { machines: { id: string }[] }).machines;
    const path = `/${machine?.id}/metadata/disk`;
    await cluster.api.send("PATCH", "/machines", [{ op: "add", path, value: "ssd" }]);
    await cluster.until("the engine to place it", async () =>
      (await cluster.ok("explain", "-l", "ssd")).includes(`on machine ${machine?.id}`),
    );
    // Taking the metadata away moves the unit off at once.
    await cluster.api.send("PATCH", "/machines", [{ op: "remove", path }]);
    await cluster.until("the engine to take it off", async () =>
      (await cluster.ok("explain", "ssd")).includes("pending: none"),
    );
  });
});

describe("batches", () => {
  const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `batch@${index + 1}`);
  it("that were interrupted leave a consistent cluster, and are finished when run again", async () => {
    cluster.file("batch@.service", SLEEP);
    const first = following("start", ...names(150));
    await cluster.until("some units to be known", async () =>
      (await cluster.ok("list-unit-files", "--no-legend")).includes("batch@"),
    );
    await first.kill();
    const half = await cluster.ok("list-unit-files", "--no-legend", "--fields=unit,dstate");
    for (const line of half.trim().split("\n")) expect(line).toMatch(/^batch@\d+\.service\s+(inactive|launched)$/);
    const again = await cluster.ok("start", ...names(150));
    // What is set to its state already is not told of.
    const told = again.match(/ launched on /g) ?? [];
    expect(told.length + (half.match(/\blaunched$/gm) ?? []).length).toBe(150);
    const states = await cluster.ok("list-units", "--no-legend", "--fields=active");
    expect(states).toBe("active\n".repeat(150));
  });
});

describe("--driver=etcd", () => {
  const direct = (...args: string[]) =>
    cluster.fleetctlWith({ env: { FLEETCTL_ENDPOINT: cluster.cluster.etcdURL } }, ...args);
  it("does the same work over the registry", async () => {
    expect((await direct("start", cluster.file("direct.service", SLEEP))).stdout).toMatch(
      /^Unit direct\.service inactive\nUnit direct\.service launched on /,
    );
    for (const args of [
      ["list-units", "--no-legend"],
      ["list-machines", "-l"],
      ["list-unit-files", "--output=json"],
      ["cat", "direct"],
      ["explain", "direct"],
    ]) {
      expect((await direct(...args)).stdout).toBe(await cluster.ok(...args));
    }
    expect((await direct("stop", "direct")).stderr).toBe("Successfully stopped units [direct.service].\n");
    expect((await direct("unload", "direct")).code).toBe(0);
    expect((await direct("destroy", "direct")).stdout).toBe("Destroyed direct.service\n");
    expect((await direct("cat", "direct")).stderr).toBe("Error: Unit direct.service not found\n");
  });
  it("refuses what an API would refuse for its size", async () => {
    const large = `[Service]\nExecStart=/bin/true\n# ${"x".repeat(300_000)}\n`;
    const { code, stderr } = await direct("submit", cluster.file("large.service", large));
    expect(code).toBe(1);
    expect(stderr).toMatch(/unit large\.service has \d+ bytes, more than the 262144 that a unit may have/);
  });
});

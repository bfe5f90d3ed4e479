import { type ChildProcess, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";
import { collect, isAlive, until } from "../deploy/local-cluster/processes.ts";

const NAME = `n${process.pid % 100000}`;
const env = { ...process.env, FLEET_LOCAL_NAME: NAME, FLEETCTL_ENDPOINT: "" };
const script = (file: string, ...args: string[]): ChildProcess =>
  spawn(process.execPath, [join(ROOT, "deploy/local-cluster", file), ...args], { env });
const state = `/run/fleet-local/${NAME}.json`;

/** Control groups, network devices and folders that carry a network's name. */
function traces(name: string): string[] {
  const groups = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder));
  const folders = existsSync("/run/fleet-local") ? readdirSync("/run/fleet-local") : [];
  return [...groups, ...Object.keys(networkInterfaces()), ...folders].filter((entry) => entry.includes(name));
}

/** Runs a script of the local cluster from a clone in which no npm packages are installed. */
function fromAnotherClone(name: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  const folder = mkdtempSync(join(tmpdir(), "fleet-clone-"));
  try {
    cpSync(join(ROOT, "deploy/local-cluster"), join(folder, "deploy/local-cluster"), { recursive: true });
    symlinkSync(join(ROOT, "dist"), join(folder, "dist"));
    return spawnSync(join(folder, "deploy/local-cluster", name), args, { env, encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

afterAll(async () => {
  if (existsSync(state)) await collect(script("stop.ts"));
});

describe("what is written down of the local cluster", () => {
  afterEach(() => rmSync(state, { force: true }));
  const write = (text: string): void => {
    mkdirSync("/run/fleet-local", { recursive: true });
    writeFileSync(state, text);
  };
  it.each(["", "{", "null", "{}"])("and can't be read, as %j, does not keep npm stop from its work", async (text) => {
    write(text);
    expect(await collect(script("stop.ts"))).toMatchObject({ code: 0, stdout: "The local cluster is not running.\n" });
    expect(existsSync(state)).toBe(false);
  });
  it("of another clone is not taken for this one's", async () => {
    const startedAt = readFileSync(`/proc/${process.pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")[19];
    write(
      JSON.stringify({ holderPID: process.pid, holderStartedAt: startedAt, endpoint: "http://x", root: "/elsewhere" }),
    );
    expect(spawnSync(join(ROOT, "deploy/local-cluster/start"), { env, encoding: "utf8" })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("the local cluster of another clone runs, /elsewhere: run npm stop"),
    });
  });
});

describe("npm start", () => {
  it("boots the cluster, runs the examples and shows them; a second one finds it running; npm stop leaves no trace", async () => {
    // What a killed start may have left.
    mkdirSync("/run/fleet-local", { recursive: true });
    writeFileSync(state, "{");
    const first = await collect(script("start.ts"));
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr.replace(/^Still waiting for .*\n/gm, "")).toBe("");
    expect(first.stdout).toContain("export FLEETCTL_ENDPOINT=http://");
    expect(first.stdout.match(/web@\d\.service\t.*\tactive\trunning/g)).toHaveLength(3);

    const second = await collect(script("start.ts"));
    expect(second.code).toBe(0);
    expect(second.stdout).toContain("The local cluster is running already.");

    const wrapper = execFileSync(
      join(ROOT, "deploy/local-cluster/fleetctl"),
      ["list-units", "--no-legend", "--fields=unit,active"],
      { env, encoding: "utf8" },
    );
    expect(wrapper.match(/^monitor\.service\t+active$/gm)).toHaveLength(3);
    expect(wrapper.trim().split("\n")).toHaveLength(10);
    const clone = execFileSync(
      process.execPath,
      [join(ROOT, "packages/cli/dist/main.js"), "list-machines", "--no-legend"],
      {
        env: { ...env, FLEETCTL_ENDPOINT: /export FLEETCTL_ENDPOINT=(\S+)/.exec(first.stdout)?.[1] ?? "" },
        encoding: "utf8",
      },
    );
    expect(clone.trim().split("\n")).toHaveLength(3);

    // Hosts have no sshd: their agents answer.
    const asked = (...args: string[]): string =>
      execFileSync(join(ROOT, "deploy/local-cluster/fleetctl"), args, { env, encoding: "utf8" });
    await until(() => asked("journal", "-n", "1", "hello.service").includes("Hello, world"), 20_000, "its first line");
    expect(asked("status", "hello.service")).toContain("Active: active (running)");
    expect(asked("top", "--once")).toMatch(/^hello\.service +h\d +running/m);

    expect(fromAnotherClone("fleetctl", "list-machines", "--no-legend")).toMatchObject({
      status: 0,
      stderr: `This is the local cluster of another clone, ${ROOT}.\n`,
    });
    expect(fromAnotherClone("stop")).toMatchObject({
      status: 1,
      stderr: `Error: the local cluster of another clone runs, ${ROOT}: run npm stop there, for no npm packages are installed here.\n`,
    });

    // The example program on the registry library, and fleetctl without any server between.
    const { etcd, holderPID } = JSON.parse(readFileSync(state, "utf8")) as { etcd: string; holderPID: number };
    const client = execFileSync(process.execPath, [join(ROOT, "examples/registry-client"), "--once"], {
      env: { ...env, FLEET_ETCD_SERVERS: etcd },
      encoding: "utf8",
    });
    expect(client.match(/^machine /gm)).toHaveLength(3);
    expect(client).toContain('unit {"name":"hello.service"');
    const direct = execFileSync(
      join(ROOT, "dist/bin/fleetctl"),
      ["--endpoint", etcd, "list-units", "--no-legend", "--fields=unit"],
      { env, encoding: "utf8" },
    );
    expect(direct.trim().split("\n")).toHaveLength(10);

    const stopped = await collect(script("stop.ts"));
    expect(stopped).toMatchObject({ code: 0, stdout: "The local cluster is gone.\n" });
    expect(isAlive(holderPID)).toBe(false);
    await until(() => traces(NAME).length === 0, 20_000, "everything to be gone");
    expect((await collect(script("stop.ts"))).stdout).toBe("The local cluster is not running.\n");
  }, 120_000);
});

describe("npm start that is given up half-way", () => {
  it.each(["SIGINT", "SIGKILL"] as const)(
    "leaves nothing behind after %s, at the latest when npm stop has run",
    async (signal) => {
      const child = script("start.ts");
      await until(() => existsSync(state), 30_000, "the network to be there");
      child.kill(signal);
      await collect(child);
      await collect(script("stop.ts"));
      await until(() => traces(NAME).length === 0, 20_000, "everything to be gone");
    },
  );
});

describe("a test that is killed half-way", () => {
  it("leaves nothing behind", async () => {
    const name = `k${process.pid % 100000}`;
    const program = `
      import { HostNetwork } from ${JSON.stringify(join(ROOT, "deploy/local-cluster/network.ts"))};
      import { mkdirSync } from "node:fs";
      const network = await HostNetwork.create(${JSON.stringify(name)});
      mkdirSync(network.folder + "/files");
      await network.addHosts(1);
      console.log(network.holderPID);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const holder = await new Promise<number>((resolve, reject) => {
      child.stdout.on("data", (chunk) => resolve(Number(chunk)));
      child.once("exit", () => reject(new Error("the program ended too early")));
    });
    expect(traces(name).length).toBeGreaterThan(0);
    child.kill("SIGKILL");
    await until(() => !isAlive(holder) && traces(name).length === 0, 20_000, "everything to be gone");
  });
});

it("npm run dist in a clone without npm packages says in a sentence what to run", () => {
  const folder = mkdtempSync(join(tmpdir(), "fleet-clone-"));
  try {
    mkdirSync(join(folder, "scripts"));
    for (const file of ["package.json", "scripts/installed"]) copyFileSync(join(ROOT, file), join(folder, file));
    const { status, stderr } = spawnSync("npm", ["run", "-s", "dist"], { cwd: folder, encoding: "utf8" });
    expect([status, stderr]).toEqual([1, "Error: no npm packages are installed here yet: run npm ci first.\n"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

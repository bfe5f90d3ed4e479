import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../deploy/local-cluster/processes.ts";
import { EtcdServer, freePort } from "../testbed/etcd-server.ts";
import { FleetdProcesses, type RunningFleetd } from "../testbed/fleetd-process.ts";

let daemons: FleetdProcesses;
let folder: string;
beforeEach(() => {
  daemons = new FleetdProcesses();
  folder = daemons.folder;
});
afterEach(() => daemons.stop());

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });

const fleetd = (args: readonly string[], env: Record<string, string> = {}): RunningFleetd => daemons.start(args, env);

describe("a fleetd that can't start says why in a sentence", () => {
  it.each([
    [
      "an argument of fleetctl's",
      ["list-units"],
      {},
      'Error: fleetd takes no argument "list-units". Did you mean to run "fleetctl list-units"?\n',
    ],
    [
      "a configuration file that is not there",
      ["--config", "/nowhere.conf"],
      {},
      "Error: configuration file /nowhere.conf can't be read: there is no such file\n",
    ],
    [
      "a value that is not usable",
      [],
      { FLEET_AGENT_TTL: "soon" },
      'Error: option agent_ttl: "soon" (from environment variable FLEET_AGENT_TTL) is not usable: expected a duration with its unit, greater than 0 and at most a day, such as 30s or 1m30s\n',
    ],
  ])("%s", async (_what, args, env, message) => {
    expect(await fleetd(args, env).done).toEqual({ code: 1, stdout: "", stderr: message });
  });
  it("its version is printed without anything else", async () => {
    for (const argument of ["--version", "version"])
      expect(await fleetd([argument]).done).toEqual({ code: 0, stdout: "fleetd version 2.0.0\n", stderr: "" });
  });
});

describe("fleetd --check-config", () => {
  const check = (text: string) => {
    const path = join(folder, "fleet.conf");
    writeFileSync(path, text);
    return fleetd(["--check-config", "--config", path]).done;
  };
  it("says that a daemon would take a configuration, and what it would warn of", async () => {
    expect(await check("verbosity=1\nno_such_option=1\n")).toEqual({
      code: 0,
      stdout: "The configuration is valid.\n",
      stderr: expect.stringMatching(
        /^Warning: unknown option "no_such_option" \(from .*fleet\.conf line 2\) has no effect\n$/,
      ),
    });
  });
  it("says each reason for which a daemon would refuse it, and fails", async () => {
    expect(await check("agent_ttl=soon\ntoken_limit=0\n")).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^Error: option agent_ttl: .*\nError: option token_limit: .*\n$/),
    });
  });
});

describe("a fleetd that shows metrics of its own", () => {
  it("is no API for that: neither api_listen nor link_listen of a shared fleet.conf is opened", async () => {
    const etcd = await EtcdServer.start();
    const [metrics, api, link] = [await freePort(), await freePort(), await freePort()];
    try {
      fleetd(["engine"], {
        FLEET_ETCD_SERVERS: etcd.url,
        FLEET_ENGINE_METRICS_LISTEN: `127.0.0.1:${metrics}`,
        FLEET_API_LISTEN: `http://127.0.0.1:${api}`,
        FLEET_LINK_LISTEN: `127.0.0.1:${link}`,
      });
      const scrape = () => fetch(`http://127.0.0.1:${metrics}/metrics`).then((answer) => answer.text());
      await until(async () => /^fleet_engine_/m.test(await scrape().catch(() => "")), 20_000, "the engine's metrics");
      for (const port of [api, link]) expect(await isOpen(port)).toBe(false);
    } finally {
      await etcd.stop();
    }
  });
});

describe("a fleetd whose etcd is away", () => {
  it("waits and says so once, answers 503, comes into its own when etcd comes, and says when it is gone again", async () => {
    const etcd = await EtcdServer.start();
    try {
      await etcd.kill();
      const { log, child, done, ask } = fleetd(["api"], {
        FLEET_ETCD_SERVERS: etcd.url,
        FLEET_AGENT_TTL: "3s",
      });
      await until(async () => (await ask("GET", "/fleet/v1/units")).status === 503, 20_000, "503");
      await until(
        () => log().includes("Server monitor triggered: Monitor timed out before successful heartbeat"),
        20_000,
        "the monitor",
      );
      expect(log()).toMatch(/can't be reached.*trying again, units go on running/);
      const lines = log()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { part?: string; msg: string });
      const said = lines.map(({ part, msg }) => `${part}: ${msg}`);
      expect(said).toEqual([...new Set(said)]);
      await etcd.run();
      await until(async () => (await ask("GET", "/fleet/v1/units")).status === 200, 20_000, "200");
      await etcd.kill();
      await until(async () => (await ask("GET", "/fleet/v1/units")).status === 503, 20_000, "503 again");
      child.kill("SIGTERM");
      expect((await done).code).toBe(0);
    } finally {
      await etcd.stop();
    }
  });
  it("ends on SIGTERM at once all the same, agent and engine too", async () => {
    const env = {
      FLEET_ETCD_SERVERS: "http://127.0.0.1:1",
      FLEET_UNITS_DIRECTORY: join(folder, "units"),
      DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${folder}/none`,
    };
    const { child, done, log } = fleetd([], env);
    await until(
      () => log().includes("the machine") || log().includes("can't be reached"),
      20_000,
      "the daemon to be up",
    );
    const startedAt = performance.now();
    child.kill("SIGTERM");
    expect((await done).code).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });
});

describe("a running fleetd", () => {
  it("says what is wrong with D-Bus, and goes on trying; says its whole state on SIGUSR1; reads its configuration again on SIGHUP", async () => {
    const etcd = await EtcdServer.start();
    try {
      const config = join(folder, "fleet.conf");
      writeFileSync(config, `etcd_servers=${etcd.url}\nunits_directory=${folder}/units\nnonsense=1\n`);
      const { child, log, ask } = fleetd(["--config", config]);
      await until(
        () => log().includes("systemd can't be used, trying again: the system's D-Bus can't be reached"),
        20_000,
        "the message",
      );
      await until(() => log().includes("has entered the registry"), 20_000, "the machine to enter");
      await until(() => log().includes("this engine leads the cluster"), 20_000, "the engine to lead");
      await until(() => log().includes("the API is listening"), 20_000, "the API to listen");
      expect(log()).toContain('unknown option \\"nonsense\\" (from ');
      child.kill("SIGUSR1");
      await until(() => log().includes('"isConnectedToSystemd":false'), 10_000, "the state");
      const dump = JSON.parse(
        log()
          .split("\n")
          .find((line) => line.includes("isConnectedToSystemd")) ?? "",
      ) as Record<string, unknown>;
      expect(dump).toMatchObject({
        isHealthy: true,
        agent: { isEntered: true },
        engine: { isLeading: true },
        api: { units: 0 },
      });
      writeFileSync(config, `etcd_servers=${etcd.url}\nunits_directory=${folder}/units\nmetadata=new=value\n`);
      child.kill("SIGHUP");
      await until(() => log().includes("Reloading configuration"), 10_000, "the line");
      await until(
        async () => (await ask("GET", "/fleet/v1/machines")).text.includes('"new":"value"'),
        10_000,
        "the new metadata",
      );
    } finally {
      await etcd.stop();
    }
  });
  it("with a wrong etcd password says which options to check, and does not show it", async () => {
    const etcd = await EtcdServer.start();
    try {
      const etcdctl = (...args: string[]) =>
        execFileSync("etcdctl", ["--endpoints", etcd.url, ...args], {
          env: { ...process.env, ETCDCTL_API: "3" },
          stdio: "pipe",
        });
      etcdctl("user", "add", "root:right");
      etcdctl("user", "grant-role", "root", "root");
      etcdctl("auth", "enable");
      const env = { FLEET_ETCD_SERVERS: etcd.url, FLEET_ETCD_USERNAME: "root", FLEET_ETCD_PASSWORD: "not-that-one" };
      const { log } = fleetd(["engine"], env);
      const message = "refused the user name or password: check etcd_username and etcd_password";
      await until(() => log().includes(message), 20_000, "the message");
      expect(log()).not.toContain("not-that-one");
    } finally {
      await etcd.stop();
    }
  });
});

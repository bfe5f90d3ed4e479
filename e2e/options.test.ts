import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { until } from "../deploy/local-cluster/processes.ts";
import { TestCA } from "../testbed/certificates.ts";
import { EtcdServer } from "../testbed/etcd-server.ts";
import { FleetdProcesses, type RunningFleetd } from "../testbed/fleetd-process.ts";
import { TestCluster } from "../testbed/test-cluster.ts";

// Each option by what it does in a running daemon. Elsewhere: agent_ttl, units_on_shutdown (failures, all-in-one),
// systemd_user (rights), units_directory (units), api_tls_* and api_tokens_file (packages/api's security test).

let etcd: EtcdServer;
let daemons: FleetdProcesses;
beforeAll(async () => {
  etcd = await EtcdServer.start();
});
afterAll(() => etcd?.stop());
beforeEach(() => {
  daemons = new FleetdProcesses();
});
afterEach(() => daemons.stop());

let count = 0;
/** A daemon with all roles and a key space of its own, up and entered. */
async function start(env: Record<string, string> = {}, args: readonly string[] = []): Promise<RunningFleetd> {
  const keySpace = { FLEET_ETCD_SERVERS: etcd.url, FLEET_ETCD_KEY_PREFIX: `/options/${process.pid}-${count++}/` };
  const daemon = daemons.start(args, { ...keySpace, ...env });
  await until(async () => (await daemon.ask("GET", "/fleet/v1/machines")).status === 200, 20_000, "the API");
  return daemon;
}
const machine = async (daemon: RunningFleetd): Promise<{ primaryIP: string; metadata: Record<string, string> }> => {
  const { text } = await daemon.ask("GET", "/fleet/v1/machines");
  return JSON.parse(text).machines?.[0];
};
const entered = (daemon: RunningFleetd): Promise<void> =>
  until(async () => (await machine(daemon)) !== undefined, 20_000, "the machine");
const SLEEP = [{ section: "Service", name: "ExecStart", value: "/bin/sleep infinity" }];
const put = async (daemon: RunningFleetd, name: string): Promise<number> =>
  (await daemon.ask("PUT", `/fleet/v1/units/${name}`, { name, desiredState: "launched", options: SLEEP })).status;
const machineOf = async (daemon: RunningFleetd, name: string): Promise<string> =>
  JSON.parse((await daemon.ask("GET", `/fleet/v1/units/${name}`)).text).machineID ?? "";
const metric = async (daemon: RunningFleetd, pattern: RegExp): Promise<number> =>
  Number(pattern.exec((await daemon.ask("GET", "/metrics")).text)?.[1] ?? 0);
const etcdctl = (...args: string[]): string =>
  execFileSync("etcdctl", ["--endpoints", etcd.url, ...args], {
    encoding: "utf8",
    env: { ...process.env, ETCDCTL_API: "3" },
  });

describe("each option does what it says", () => {
  it("verbosity: debug lines above 0, none at 0, and back by a reload", async () => {
    const config = join(daemons.folder, "fleet.conf");
    writeFileSync(config, "verbosity=1\n");
    const daemon = await start({}, ["--config", config]);
    await until(() => daemon.log().includes('"level":"debug"'), 10_000, "a debug line");
    writeFileSync(config, "verbosity=0\n");
    daemon.child.kill("SIGHUP");
    await until(() => daemon.log().includes("Reloading configuration"), 10_000, "the reload");
    const length = daemon.log().length;
    await daemon.ask("GET", "/fleet/v1/units");
    await put(daemon, "a.service");
    expect(daemon.log().slice(length)).not.toContain('"level":"debug"');
  });
  it("etcd_servers: the one that answers is used", async () => {
    const daemon = await start({ FLEET_ETCD_SERVERS: `["http://127.0.0.1:1","${etcd.url}"]` });
    expect(await put(daemon, "a.service")).toBe(201);
  });
  it("etcd_key_prefix: nothing is written outside of it", async () => {
    const before = etcdctl("get", "", "--prefix", "--keys-only").split("\n");
    const daemon = await start({ FLEET_ETCD_KEY_PREFIX: "/mine/" });
    await entered(daemon);
    await put(daemon, "a.service");
    const written = etcdctl("get", "", "--prefix", "--keys-only")
      .split("\n")
      .filter((key) => key !== "" && !before.includes(key));
    expect(written.length).toBeGreaterThan(3);
    expect(written.filter((key) => !key.startsWith("/mine/") && !key.startsWith("/options/"))).toEqual([]);
  });
  it("etcd_request_timeout: a shorter one gives up sooner on an etcd that hangs", async () => {
    const own = await EtcdServer.start();
    try {
      const servers = { FLEET_ETCD_SERVERS: own.url, FLEET_AGENT_TTL: "1m" };
      const [short, long] = await Promise.all([
        start({ ...servers, FLEET_ETCD_REQUEST_TIMEOUT: "0.3" }, ["api"]),
        start({ ...servers, FLEET_ETCD_REQUEST_TIMEOUT: "4" }, ["api"]),
      ]);
      own.freeze();
      const order: string[] = [];
      const [first] = await Promise.all([
        short.ask("PUT", "/fleet/v1/units/a.service", { desiredState: "launched", options: SLEEP }).then((answer) => {
          order.push("short");
          return answer;
        }),
        long.ask("PUT", "/fleet/v1/units/a.service", { desiredState: "launched", options: SLEEP }).then(() => {
          order.push("long");
        }),
      ]);
      expect(order).toEqual(["short", "long"]);
      expect(first.status).toBe(503);
    } finally {
      own.thaw();
      await own.stop();
    }
  });
  it("etcd_cafile, etcd_certfile, etcd_keyfile, etcd_username, etcd_password: TLS with a client certificate, and a login", async () => {
    const ca = new TestCA();
    const server = ca.sign("etcd", ["IP:127.0.0.1"]);
    const client = ca.sign("fleet", []);
    const own = await EtcdServer.start({ tls: { ...server, clientCA: ca.ca } });
    try {
      const tls = {
        FLEET_ETCD_SERVERS: own.url,
        FLEET_ETCD_CAFILE: ca.ca,
        FLEET_ETCD_CERTFILE: client.cert,
        FLEET_ETCD_KEYFILE: client.key,
      };
      const ctl = (...args: string[]): string =>
        execFileSync(
          "etcdctl",
          [`--endpoints=${own.url}`, `--cacert=${ca.ca}`, `--cert=${client.cert}`, `--key=${client.key}`, ...args],
          { encoding: "utf8", stdio: "pipe", env: { ...process.env, ETCDCTL_API: "3" } },
        );
      expect(await put(await start(tls), "a.service")).toBe(201);
      ctl("user", "add", "root:pass");
      ctl("user", "grant-role", "root", "root");
      ctl("auth", "enable");
      const login = { ...tls, FLEET_ETCD_USERNAME: "root", FLEET_ETCD_PASSWORD: "pass" };
      expect(await put(await start(login), "b.service")).toBe(201);
      const without = daemons.start(["api"], { FLEET_ETCD_SERVERS: own.url, FLEET_ETCD_CAFILE: ca.ca });
      const message = "etcd refused fleet's certificate (bad certificate): check etcd_certfile and etcd_keyfile";
      await until(() => without.log().includes(message), 20_000, "the refusal");
    } finally {
      await own.stop();
      ca.remove();
    }
  });
  it("public_ip: is what the machine shows; without it the address of the default route", async () => {
    const [given, own] = await Promise.all([start({ FLEET_PUBLIC_IP: "192.0.2.77" }), start()]);
    await Promise.all([entered(given), entered(own)]);
    expect((await machine(given)).primaryIP).toBe("192.0.2.77");
    expect((await machine(own)).primaryIP).toMatch(/^(\d+\.){3}\d+$/);
    expect((await machine(own)).primaryIP).not.toBe("192.0.2.77");
  });
  it("metadata: is what units are placed by", async () => {
    const daemon = await start({ FLEET_METADATA: '"disk = ssd , zone=a,zone=b"' });
    await entered(daemon);
    expect((await machine(daemon)).metadata).toEqual({ disk: "ssd", zone: "b" });
  });
  it("token_limit: the entries of a page", async () => {
    const daemon = await start({ FLEET_TOKEN_LIMIT: "2" });
    for (const name of ["a.service", "b.service", "c.service"]) await put(daemon, name);
    const page = JSON.parse((await daemon.ask("GET", "/fleet/v1/units")).text);
    expect(page.units).toHaveLength(2);
    expect(page.nextPageToken).toEqual(expect.any(String));
  });
  it("disable_engine: places nothing, and does once a reload takes it away", async () => {
    const config = join(daemons.folder, "fleet.conf");
    writeFileSync(config, "disable_engine=true\n");
    const daemon = await start({}, ["--config", config]);
    await entered(daemon);
    await put(daemon, "a.service");
    // An agent that publishes, and full reconciliations of an engine, have had their time: a second unit is there too.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await machineOf(daemon, "a.service")).toBe("");
    writeFileSync(config, "disable_engine=false\n");
    daemon.child.kill("SIGHUP");
    await until(async () => (await machineOf(daemon, "a.service")) !== "", 20_000, "it to be placed");
  });
  it("disable_watches: nothing is watched in etcd, and units are placed all the same", async () => {
    const own = await EtcdServer.start();
    try {
      const watchers = async (): Promise<number> => {
        const text = await (await fetch(`${own.url}/metrics`)).text();
        return Number(/^etcd_debugging_mvcc_watcher_total (\d+)/m.exec(text)?.[1]);
      };
      const polling = await start({ FLEET_ETCD_SERVERS: own.url, FLEET_DISABLE_WATCHES: "true" });
      await entered(polling);
      expect(await watchers()).toBe(0);
      expect(await put(polling, "a.service")).toBe(201);
      await until(async () => (await machineOf(polling, "a.service")) !== "", 20_000, "it to be placed");
      expect(await watchers()).toBe(0);
      const watching = await start({ FLEET_ETCD_SERVERS: own.url, FLEET_ETCD_KEY_PREFIX: "/watching/" });
      await entered(watching);
      expect(await watchers()).toBeGreaterThan(0);
    } finally {
      await own.stop();
    }
  });
  it("engine_reconcile_interval: how often everything is looked at though nothing happens", async () => {
    const often = await start({ FLEET_ENGINE_RECONCILE_INTERVAL: "0.2" });
    const seldom = await start({ FLEET_ENGINE_RECONCILE_INTERVAL: "600" });
    const rounds = (daemon: RunningFleetd): Promise<number> =>
      metric(daemon, /^fleet_engine_reconcile_count_total (\d+)/m);
    await entered(seldom);
    await until(async () => (await rounds(often)) > 0, 20_000, "a first round");
    const before = [await rounds(often), await rounds(seldom)] as const;
    await until(async () => (await rounds(often)) >= before[0] + 5, 20_000, "five more rounds");
    expect((await rounds(seldom)) - before[1]).toBeLessThan(5);
  });
  it("enable_grpc, verify_units, authorized_keys_file: accepted, and said to be without effect", async () => {
    const daemon = await start({
      FLEET_ENABLE_GRPC: "true",
      FLEET_VERIFY_UNITS: "true",
      FLEET_AUTHORIZED_KEYS_FILE: "/root/keys",
    });
    const line = (option: string): { level: string } =>
      JSON.parse(
        daemon
          .log()
          .split("\n")
          .find((text) => text.includes(option)) ?? "{}",
      );
    expect(line("enable_grpc").level).toBe("warn");
    expect(line("verify_units").level).toBe("error");
    expect(line("authorized_keys_file").level).toBe("error");
  });
});

describe("etcd's default endpoints", () => {
  it.each([2379, 4001])("are used without any configuration: whichever responds, here port %i", async (port) => {
    const cluster = await TestCluster.start([{ isBare: true, binds: [`${BIN}:/opt/fleet`] }], "");
    try {
      const { network } = cluster.cluster;
      const on = (...command: string[]): Promise<string> => network.must(1, ...command);
      const url = `http://127.0.0.1:${port}`;
      await on(
        ...[
          "systemd-run",
          "--unit=etcd-here",
          "etcd",
          "--data-dir=/root/etcd",
          "--listen-peer-urls=http://127.0.0.1:9",
        ],
        ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
      );
      await on(
        "systemd-run",
        "--unit=fleet-here",
        "--setenv=FLEET_API_LISTEN=unix:///run/fleet.sock",
        `/opt/fleet/fleetd`,
      );
      await cluster.until("the machine", async () => {
        const { stdout } = await network.exec(1, [`/opt/fleet/fleetctl`, "list-machines", "--no-legend"]);
        return stdout.includes("...");
      });
    } finally {
      await cluster.stop();
    }
  });
});

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestCA } from "../../../../testbed/certificates.ts";
import { EtcdServer, freePort } from "../../../../testbed/etcd-server.ts";
import { Registry } from "./registry.ts";

let ca: TestCA;
let other: TestCA;
beforeAll(() => {
  ca = new TestCA();
  other = new TestCA();
});
afterAll(() => {
  ca.remove();
  other.remove();
});

const opened: Registry[] = [];
const servers: EtcdServer[] = [];
afterEach(async () => {
  for (const registry of opened.splice(0)) registry.close();
  for (const server of servers.splice(0)) await server.stop();
});

async function start(options: Parameters<typeof EtcdServer.start>[0]): Promise<EtcdServer> {
  const server = await EtcdServer.start(options);
  servers.push(server);
  return server;
}
function open(config: Parameters<typeof Registry.open>[0]): Registry {
  const registry = Registry.open({ requestTimeoutMs: 3000, ...config });
  opened.push(registry);
  return registry;
}
const text = (path: string): string => readFileSync(path, "utf8");
const trusting = (authority: TestCA) => ({ ca: text(authority.ca), cert: null, key: null });

/** Writes, reads, watches and keeps a lease alive: all that fleet does with etcd. */
async function works(registry: Registry): Promise<void> {
  const { etcd, keys } = registry;
  const mirror = registry.mirror();
  const stopping = new AbortController();
  const done = mirror.run(stopping.signal);
  await mirror.ready;
  const key = keys.machineMetadata("m", `k${Math.random()}`);
  const { revision } = await etcd.txn([{ key, createRevision: 0 }], [{ put: key, value: "v" }]);
  expect(await mirror.waitFor(key, revision, 5000)).toBe(true);
  const lease = await etcd.grantLease(5);
  expect(await etcd.keepLeaseAlive(lease)).toBeGreaterThan(0);
  await etcd.revokeLease(lease);
  stopping.abort();
  await done;
}

describe("etcd with TLS", () => {
  it("is reached by address and by name, with the CA alone", async () => {
    const server = await start({ tls: ca.sign("etcd", ["IP:127.0.0.1", "DNS:localhost"]) });
    await works(open({ servers: [server.url], tls: trusting(ca) }));
    await works(open({ servers: [`https://localhost:${server.port}`], tls: trusting(ca) }));
  });
  it("that wants client certificates takes ours, and refuses one without", async () => {
    const server = await start({ tls: { ...ca.sign("etcd", ["IP:127.0.0.1"]), clientCA: ca.ca } });
    const client = ca.sign("fleet", []);
    const tls = { ca: text(ca.ca), cert: text(client.cert), key: text(client.key) };
    await works(open({ servers: [server.url], tls }));
    await expect(open({ servers: [server.url], tls: trusting(ca) }).etcd.grantLease(5)).rejects.toMatchObject({
      message: expect.stringContaining("etcd at https://127.0.0.1"),
    });
  });
  it("of a CA that is not trusted is refused, with the reason", async () => {
    const server = await start({ tls: other.sign("etcd", ["IP:127.0.0.1"]) });
    await expect(open({ servers: [server.url], tls: trusting(ca) }).etcd.grantLease(5)).rejects.toMatchObject({
      code: "tls",
      message: expect.stringContaining("certificate"),
    });
  });
  it("whose certificate is for another address is refused", async () => {
    const server = await start({ tls: ca.sign("etcd", ["IP:192.0.2.1", "DNS:address.invalid"]) });
    await expect(open({ servers: [server.url], tls: trusting(ca) }).etcd.grantLease(5)).rejects.toMatchObject({
      code: "tls",
    });
  });
});

/** Turns authentication on, with a root and a user of fleet's that may do no more than fleet needs. */
function secure(server: EtcdServer, authority: TestCA | null, client?: { cert: string; key: string }): void {
  const shown = client === undefined ? [] : [`--cert=${client.cert}`, `--key=${client.key}`];
  const tls = authority === null ? [] : [`--cacert=${authority.ca}`, ...shown];
  const etcdctl = (...args: string[]): string =>
    execFileSync("etcdctl", [`--endpoints=${server.url}`, ...tls, ...args], {
      env: { ...process.env, ETCDCTL_API: "3" },
      encoding: "utf8",
    });
  etcdctl("user", "add", "root:secret");
  etcdctl("user", "grant-role", "root", "root");
  etcdctl("role", "add", "fleet");
  etcdctl("role", "grant-permission", "fleet", "readwrite", "--prefix=true", "/fleet/");
  etcdctl("user", "add", "fleet:pass word");
  etcdctl("user", "grant-role", "fleet", "fleet");
  etcdctl("auth", "enable");
}
const auth = { username: "fleet", password: "pass word" };

describe("etcd with user and password", () => {
  it("lets a user with a role for fleet's keys alone do all that fleet does", async () => {
    const server = await start({});
    secure(server, null);
    await works(open({ servers: [server.url], auth, keyPrefix: "/fleet/" }));
    await expect(
      open({ servers: [server.url], auth, keyPrefix: "/elsewhere/" }).unitFiles(["h"]),
    ).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("role must allow reading and writing under etcd_key_prefix"),
    });
  });
  it("is used over TLS too, by address", async () => {
    const server = await start({ tls: ca.sign("etcd", ["IP:127.0.0.1"]) });
    secure(server, ca);
    await works(open({ servers: [server.url], tls: trusting(ca), auth, keyPrefix: "/fleet/" }));
  });
  it("takes a client certificate's CN for the user", async () => {
    const server = await start({ tls: { ...ca.sign("etcd", ["IP:127.0.0.1"]), clientCA: ca.ca } });
    const [fleet, other] = [ca.sign("fleet", []), ca.sign("other", [])];
    secure(server, ca, fleet);
    const by = ({ cert, key }: { cert: string; key: string }): Registry =>
      open({
        servers: [server.url],
        tls: { ca: text(ca.ca), cert: text(cert), key: text(key) },
        keyPrefix: "/fleet/",
      });
    await works(by(fleet));
    await expect(by(other).unitFiles(["h"])).rejects.toMatchObject({ code: "forbidden" });
  });
  it.each([
    ["a wrong password", { ...auth, password: "wrong" }, "refused the user name or password"],
    ["an unknown user", { ...auth, username: "nobody" }, "refused the user name or password"],
    ["nobody at all", null, "wants a user name and password"],
  ])("%s is refused, with what to do", async (_what, who, message) => {
    const server = await start({});
    secure(server, null);
    const { etcd, keys } = open({ servers: [server.url], auth: who, keyPrefix: "/fleet/" });
    await expect(etcd.txn([], [{ put: keys.leader(), value: "x" }])).rejects.toMatchObject({
      code: "unauthenticated",
      message: expect.stringContaining(message),
    });
  });
  it("a user where none is wanted is told to leave it out", async () => {
    const server = await start({});
    const { etcd } = open({ servers: [server.url], auth });
    await expect(etcd.grantLease(5)).rejects.toMatchObject({
      message: expect.stringContaining("remove etcd_username"),
    });
  });
  it("goes on when tokens run out, in requests and in watches", async () => {
    const server = await start({ args: ["--auth-token-ttl=1"] });
    secure(server, null);
    const registry = open({ servers: [server.url], auth, keyPrefix: "/fleet/" });
    const mirror = registry.mirror();
    const stopping = new AbortController();
    const done = mirror.run(stopping.signal);
    await mirror.ready;
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setTimeout(resolve, 2500)); // etcd forgets a token that is not used for so long
      const key = registry.keys.machineMetadata("m", `k${round}`);
      const { revision } = await registry.etcd.txn([], [{ put: key, value: "v" }]);
      expect(await mirror.waitFor(key, revision, 5000)).toBe(true);
    }
    stopping.abort();
    await done;
  });
  it("goes on after a restart of etcd, which forgets all tokens", async () => {
    const server = await start({});
    secure(server, null);
    const registry = open({ servers: [server.url], auth, keyPrefix: "/fleet/" });
    await registry.etcd.grantLease(5);
    await server.kill();
    await server.run();
    await expect
      .poll(
        () =>
          registry.etcd.grantLease(5).then(
            () => "granted",
            () => "refused",
          ),
        { timeout: 10_000 },
      )
      .toBe("granted");
    await works(registry);
  });
});

describe("several endpoints", () => {
  it("of which some are dead serve as one that is not", async () => {
    const server = await start({});
    const dead = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
    for (const list of [
      [server.url, ...dead],
      [...dead, server.url],
      [dead[0] ?? "", server.url, dead[1] ?? ""],
    ]) {
      await works(open({ servers: list }));
    }
  });
  it("of a cluster of three go on when its leader is killed", async () => {
    const members = await EtcdServer.startThree();
    servers.push(...members);
    const registry = open({ servers: members.map(({ url }) => url), requestTimeoutMs: 5000 });
    await works(registry);
    const status = execFileSync(
      "etcdctl",
      [`--endpoints=${members.map(({ url }) => url).join(",")}`, "endpoint", "status", "--write-out=fields"],
      { env: { ...process.env, ETCDCTL_API: "3" }, encoding: "utf8" },
    );
    const ids = [...status.matchAll(/"MemberID" : (\d+)/g)].map(([, id]) => id);
    const leader = /"Leader" : (\d+)/.exec(status)?.[1];
    await members[ids.indexOf(leader)]?.kill();
    await expect
      .poll(
        () =>
          registry.etcd.grantLease(5).then(
            () => "granted",
            () => "refused",
          ),
        { timeout: 20_000 },
      )
      .toBe("granted");
    await works(registry);
  });
});

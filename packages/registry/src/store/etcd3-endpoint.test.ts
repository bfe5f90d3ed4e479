import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { EtcdServer } from "../../../../testbed/etcd-server.ts";
import { TcpProxy } from "../../../../testbed/tcp-proxy.ts";
import { Lease } from "./lease.ts";
import { Registry } from "./registry.ts";

let server: EtcdServer;
beforeAll(async () => {
  server = await EtcdServer.start();
});
afterAll(() => server?.stop());

const undo: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const BEAT_MS = 2_000;

/** A client that beats, watches and asks, through a network of its own. */
async function liveClient(name: string) {
  const proxy = await TcpProxy.start(server.port);
  undo.push(() => proxy.stop());
  const config = server.config({ FLEET_ETCD_SERVERS: proxy.url, FLEET_ETCD_REQUEST_TIMEOUT: "1" });
  const registry = Registry.open({ ...config, keyPrefix: `/endpoint-${name}/` });
  undo.push(() => registry.close());
  const stopping = new AbortController();
  const mirror = registry.mirror();
  const following = mirror.run(stopping.signal);
  await mirror.ready;
  const beats = { count: 0 };
  const lease = await Lease.grant({
    etcd: registry.etcd,
    ttlMs: 20_000,
    pauseMs: () => BEAT_MS,
    onTrouble: () => undefined,
    onConfirmed: () => beats.count++,
  });
  const beating = lease.keepAlive(stopping.signal);
  undo.push(async () => {
    stopping.abort();
    await Promise.all([following, beating]);
  });
  return { proxy, registry, mirror, beats };
}
type LiveClient = Awaited<ReturnType<typeof liveClient>>;

/** Waits until a beat is confirmed and a write is seen by the watch. */
async function works({ registry, mirror, beats }: LiveClient): Promise<void> {
  const before = beats.count;
  await expect.poll(() => beats.count, { timeout: 10_000 }).toBeGreaterThan(before);
  const key = registry.keys.unit("probe.service");
  const { revision } = await registry.etcd.txn([], [{ put: key, value: "{}" }]);
  expect(await mirror.waitFor(key, revision, 10_000)).toBe(true);
}

/** Longer than a connection is idle before gRPC asks whether it lives, and than it waits for the answer. */
const PAST_THE_PING_MS = 60_000;

describe("a client whose network was cut", () => {
  it("at whatever moment of a heart-beat keeps the connection that it has afterwards", {
    timeout: 150_000,
  }, async () => {
    const moments = Array.from({ length: 8 }, (_, index) => (index * BEAT_MS) / 8);
    const healed = await Promise.all(
      moments.map(async (moment) => {
        const client = await liveClient(`cut-${moment}`);
        await works(client);
        await sleep(moment);
        client.proxy.cut();
        await sleep(2_600);
        client.proxy.heal();
        await works(client);
        return { client, accepted: client.proxy.accepted };
      }),
    );
    await sleep(PAST_THE_PING_MS);
    for (const { client } of healed) await works(client);
    expect(healed.map(({ client }) => client.proxy.accepted)).toEqual(healed.map(({ accepted }) => accepted));
  });
  it("for good, with connections that nobody ends, works soon after it is back", { timeout: 30_000 }, async () => {
    const client = await liveClient("long");
    client.proxy.cut();
    await sleep(5_000);
    client.proxy.heal();
    const healedAt = performance.now();
    await works(client);
    expect(performance.now() - healedAt).toBeLessThan(5_000);
  });
});

describe("a client's connection", () => {
  it("outlives a watch that is ended", async () => {
    const client = await liveClient("watch");
    const { accepted } = client.proxy;
    for (let times = 0; times < 3; times++) {
      const stopping = new AbortController();
      const mirror = client.registry.mirror();
      const done = mirror.run(stopping.signal);
      await expect.poll(() => mirror.isConnected).toBe(true);
      stopping.abort();
      await done;
      await works(client);
    }
    expect(client.proxy.accepted).toBe(accepted);
    expect(accepted).toBe(1);
  });
  it("outlives a slow answer while others come", { timeout: 20_000 }, async () => {
    const client = await liveClient("slow");
    client.proxy.cut();
    const slow = client.registry.etcd.range({ start: "/", end: "0" }).catch((error: unknown) => error);
    await sleep(500);
    client.proxy.heal();
    await slow;
    await works(client);
    expect(client.proxy.accepted).toBe(1);
  });
  it("is made anew where it was broken", async () => {
    const client = await liveClient("reset");
    client.proxy.reset();
    await works(client);
    expect(client.proxy.accepted).toBeGreaterThan(1);
  });
});

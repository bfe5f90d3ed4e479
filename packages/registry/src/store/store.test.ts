import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { EtcdServer, freePort } from "../../../../testbed/etcd-server.ts";
import { testRegistry } from "../../../../testbed/test-registry.ts";
import {
  type Change,
  Etcd3Client,
  InvalidUnitError,
  Keys,
  Leadership,
  Lease,
  MachineRegistration,
  type Mirror,
  Registry,
  RegistryError,
  type UnitOption,
  unitOf,
} from "../index.ts";

const { server, registry, stopping } = testRegistry("test");

const options = (value: string, fleet = ""): UnitOption[] => [
  { section: "Service", name: "ExecStart", value },
  ...(fleet === ""
    ? []
    : [{ section: "X-Fleet", name: fleet.split("=")[0] ?? "", value: fleet.split("=").slice(1).join("=") }]),
];
const until = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 2000) throw new Error("waited in vain");
    await sleep(5);
  }
};
const code = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    return error instanceof RegistryError ? error.code : String(error);
  }
  return "no error";
};
const mirror = (troubles: RegistryError[] = []): Mirror => {
  const started = registry().mirror({
    ranges: [registry().keys.all()],
    pageSize: 7,
    onTrouble: (error) => troubles.push(error),
  });
  void started.run(stopping().signal);
  return started;
};
const set = (name: string, desiredState: "inactive" | "loaded" | "launched" | null, file: UnitOption[] | null = null) =>
  ({ kind: "set", name, options: file, desiredState }) as const;
const lease = (ttlMs = 5_000): Promise<Lease> =>
  Lease.grant({ etcd: registry().etcd, ttlMs, onTrouble: () => undefined });
const machine = (instanceID: string) => ({
  id: "m1",
  primaryIP: "192.0.2.1",
  metadata: {},
  version: "2.0.0",
  capabilities: [],
  instanceID,
});

describe("a mirror", () => {
  it("lists at once what there is, in pages, and follows what comes", async () => {
    const writer = registry().unitWriter();
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        writer.submit(set(`u${index}.service`, "inactive", options(`/bin/${index}`))),
      ),
    );
    const { state, ready, onChanges } = bind(mirror());
    await ready;
    expect(state.units.size).toBe(30);
    expect(state.unitFiles.size).toBe(30);
    const changes: Change[] = [];
    onChanges((more) => changes.push(...more));
    await writer.submit({ kind: "destroy", name: "u3.service" });
    await until(() => state.units.size === 29);
    const ofUnits = changes.filter(({ kind }) => kind === "unit");
    expect(ofUnits).toMatchObject([{ kind: "unit", name: "u3.service", after: null }]);
  });
  it("goes on where it was after etcd was away, and tells the differences after a compaction, each once", async () => {
    const troubles: RegistryError[] = [];
    const followed = mirror(troubles);
    await followed.ready;
    const seen: string[] = [];
    followed.onChanges((changes) => {
      for (const change of changes)
        if (change.kind === "unit")
          seen.push(`${change.name} ${change.after === null ? "gone" : change.after.desiredState}`);
    });
    const writer = registry().unitWriter();
    await writer.submit(set("a.service", "inactive", options("/bin/a")));
    await writer.submit(set("b.service", "inactive", options("/bin/b")));
    await until(() => seen.length === 2);
    await server().kill();
    await until(() => troubles.length > 0);
    expect(followed.state.units.size).toBe(2);
    expect(followed.isConnected).toBe(false);
    await server().run();
    const other = new Registry(new Etcd3Client(server().config()), registry().keys);
    try {
      await other.unitWriter().submit(set("a.service", "loaded"));
      await other.unitWriter().submit({ kind: "destroy", name: "b.service" });
      const { revision } = await other.unitWriter().submit(set("c.service", "inactive", options("/bin/c")));
      execFileSync("etcdctl", ["--endpoints", server().url, "compact", String(revision)], {
        env: { ...process.env, ETCDCTL_API: "3" },
      });
    } finally {
      other.close();
    }
    await until(() => seen.length >= 5);
    await until(() => followed.isConnected);
    expect(seen.slice(2).toSorted()).toEqual(["a.service loaded", "b.service gone", "c.service inactive"]);
  });
  it("reads its own writes, also those that change nothing", async () => {
    const followed = mirror();
    await followed.ready;
    const writer = registry().unitWriter();
    const first = await writer.submit(set("a.service", "loaded", options("/bin/a")));
    expect(await followed.waitFor(registry().keys.unit("a.service"), first.revision, 5_000)).toBe(true);
    expect(unitOf(followed.state, "a.service")?.desiredState).toBe("loaded");
    const again = await writer.submit(set("a.service", "loaded"));
    expect(again.outcome).toBe("unchanged");
    expect(await followed.waitFor(registry().keys.unit("a.service"), again.revision, 1_000)).toBe(true);
  });
  it("leaves what it understood last in place of a malformed value, and says so", async () => {
    const followed = mirror();
    await followed.ready;
    await registry()
      .unitWriter()
      .submit(set("a.service", "loaded", options("/bin/a")));
    await until(() => followed.state.units.has("a.service"));
    await registry().etcd.txn(
      [],
      [
        { put: registry().keys.unit("a.service"), value: "{broken" },
        { put: registry().keys.unit("b.service"), value: '{"hash":1}' },
      ],
    );
    await until(() => followed.state.malformed.size === 2);
    expect(followed.state.units.get("a.service")?.desiredState).toBe("loaded");
    expect(followed.state.units.has("b.service")).toBe(false);
  });
});

function bind(followed: Mirror): { state: Mirror["state"]; ready: Promise<void>; onChanges: Mirror["onChanges"] } {
  return { state: followed.state, ready: followed.ready, onChanges: (listener) => followed.onChanges(listener) };
}

describe("changes of units", () => {
  it("keep unit, schedule and global in step, in one transaction", async () => {
    const { keys, etcd } = registry();
    const writer = registry().unitWriter();
    const text = async (key: string): Promise<unknown> => {
      const [found] = (await etcd.txn([], [{ get: key }])).gets;
      return found == null ? null : JSON.parse(found.value);
    };
    await writer.submit(set("a.service", "launched", options("/bin/a")));
    const record = (await text(keys.unit("a.service"))) as { hash: string };
    // As an engine places it.
    await etcd.txn(
      [],
      [
        { put: keys.unit("a.service"), value: JSON.stringify({ ...record, machineID: "m1" }) },
        {
          put: keys.schedule("m1", "a.service"),
          value: JSON.stringify({ hash: record.hash, desiredState: "launched" }),
        },
      ],
    );
    await writer.submit(set("a.service", "loaded"));
    expect(await text(keys.schedule("m1", "a.service"))).toEqual({ hash: record.hash, desiredState: "loaded" });
    expect((await writer.submit(set("a.service", "loaded", options("/bin/b")))).outcome).toBe("replaced");
    const next = (await text(keys.unit("a.service"))) as { hash: string; machineID: string };
    expect(next.machineID).toBe("m1");
    expect(await text(keys.schedule("m1", "a.service"))).toEqual({ hash: next.hash, desiredState: "loaded" });
    await writer.submit(set("a.service", "loaded", options("/bin/b", "Conflicts=x*")));
    expect(await text(keys.schedule("m1", "a.service"))).toBeNull();
    expect(await text(keys.unit("a.service"))).toMatchObject({ lastMachineID: "m1" });
    await writer.submit(set("a.service", "launched", options("/bin/b", "Global=true")));
    expect(await text(keys.global("a.service"))).toMatchObject({ desiredState: "launched" });
    await writer.submit({ kind: "destroy", name: "a.service" });
    expect(await text(keys.global("a.service"))).toBeNull();
    expect(await text(keys.unit("a.service"))).toBeNull();
  });
  it("of one unit by many at once lose nothing: the last one holds, and each has its own revision or none", async () => {
    const followed = mirror();
    await followed.ready;
    const known = (name: string) => {
      const record = followed.state.units.get(name);
      return record === undefined ? null : { record, text: followed.state.unitFiles.get(record.hash)?.text ?? null };
    };
    const writers = [registry().unitWriter(known), registry().unitWriter(known), registry().unitWriter()];
    await writers[0]?.submit(set("a.service", "inactive", options("/bin/a")));
    const states = ["loaded", "launched", "inactive"] as const;
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, index) => writers[index % 3]?.submit(set("a.service", states[index % 3] ?? null))),
    );
    const last = results
      .filter((result) => result?.outcome === "changed")
      .toSorted((a, b) => (a?.revision ?? 0) - (b?.revision ?? 0))
      .at(-1);
    await followed.waitFor(registry().keys.unit("a.service"), last?.revision ?? 0, 5_000);
    expect(followed.state.units.get("a.service")?.modRevision).toBe(last?.revision);
  });
  it("go many in one transaction", async () => {
    const followed = mirror();
    await followed.ready;
    const writer = registry().unitWriter((name) => (followed.state.units.has(name) ? undefined : null));
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        writer.submit(set(`n${index}.service`, "launched", options("/bin/same"))),
      ),
    );
    expect(new Set(results.map(({ revision }) => revision)).size).toBeLessThan(20);
    await until(() => followed.state.units.size === 200);
    expect(followed.state.unitFiles.size).toBe(1);
  });
  it.each([
    ["a bad name", set("a b.service", "inactive", options("/bin/a")), /not valid/],
    ["no options", set("a.service", "inactive", []), /has no options/],
    ["a template that is to run", set("a@.service", "launched", options("/bin/a")), /is a template/],
    [
      "a line end that would smuggle in an option",
      set("a.service", "inactive", options("x\n[Service]\nExecStart=/bin/evil")),
      /line end/,
    ],
    [
      "a forbidden combination",
      set("a.service", "inactive", [
        ...options("/bin/a", "Global=true"),
        { section: "X-Fleet", name: "MachineOf", value: "b.service" },
      ]),
      /Global and MachineOf/,
    ],
  ])("refuse %s", async (_what, change, reason) => {
    await expect(registry().unitWriter().submit(change)).rejects.toThrow(InvalidUnitError);
    await expect(registry().unitWriter().submit(change)).rejects.toThrow(reason);
  });
  it("refuse what an unknown unit lacks, and what a known one needs", async () => {
    expect(await code(registry().unitWriter().submit(set("a.service", "loaded")))).toBe("refused");
    expect(await code(registry().unitWriter().submit({ kind: "destroy", name: "a.service" }))).toBe("not-found");
    await registry()
      .unitWriter()
      .submit(set("a.service", null, options("/bin/a")));
    expect(await code(registry().unitWriter().submit(set("a.service", null)))).toBe("refused");
  });
});

describe("leases and leadership", () => {
  it("a lease knows that it is lost when etcd says so", async () => {
    const held = await lease();
    await registry().etcd.revokeLease(held.id);
    const other = await lease(2_000);
    await registry().etcd.revokeLease(other.id);
    expect(await other.keepAlive(stopping().signal)).toBe(false);
    expect(other.isAlive).toBe(false);
  });
  it("a lease that etcd does not confirm is not believed beyond its time to live, and recovers if etcd kept it", async () => {
    const held = await lease(5_000);
    const keeping = held.keepAlive(stopping().signal);
    await server().kill();
    await until(() => !held.isAlive);
    expect(held.silentMs).toBeGreaterThanOrEqual(5_000);
    await server().run();
    await until(() => held.isAlive); // etcd gives leases their whole time again when it comes back
    stopping().abort();
    await keeping;
  });
  it("one leads at a time; a deposed leader writes nothing; a newer version keeps an older one out", async () => {
    const { etcd, keys } = registry();
    const record = { machineID: "m1", version: 2, startedAt: "" };
    const first = await Leadership.campaign(etcd, keys, await lease(), record, null);
    expect(first).not.toBeNull();
    const version = (await etcd.txn([], [{ get: keys.engineVersion() }])).gets[0];
    const known = { version: 2, modRevision: version?.modRevision ?? 0 };
    expect(await Leadership.campaign(etcd, keys, await lease(), record, known)).toBeNull();
    await first?.resign();
    const second = await Leadership.campaign(etcd, keys, await lease(), record, known);
    expect(second?.mayAct(100)).toBe(true);
    const fence = first?.fence;
    if (fence === undefined) return expect.unreachable();
    expect((await etcd.txn([fence], [{ put: keys.unit("x.service"), value: "{}" }])).succeeded).toBe(false);
    await second?.resign();
    expect(await Leadership.campaign(etcd, keys, await lease(), { ...record, version: 1 }, known)).toBeNull();
  });
});

describe("a machine's registration", () => {
  it("is taken over by the same instance at once, and refused to another with the same ID", async () => {
    const { etcd, keys } = registry();
    const first = await MachineRegistration.enter(etcd, keys, await lease(), machine("one"));
    const again = await MachineRegistration.enter(etcd, keys, await lease(), machine("one"));
    await again.publish([]);
    await expect(MachineRegistration.enter(etcd, keys, await lease(), machine("two"))).rejects.toThrow(
      /machine ID m1 is held by another agent \(at 192\.0\.2\.1\)/,
    );
    await first.publish([]);
  });
  it("that is lost publishes nothing more", async () => {
    const { etcd, keys } = registry();
    const held = await lease();
    const registration = await MachineRegistration.enter(etcd, keys, held, machine("one"));
    const state = {
      hash: "h",
      current: "loaded",
      systemd: { load: "loaded", active: "inactive", sub: "dead" },
      error: null,
    } as const;
    await registration.publish([{ name: "a.service", state }]);
    expect(await registration.publishedNames()).toEqual(["a.service"]);
    await held.revoke();
    expect(await registration.publishedNames()).toEqual([]);
    expect(await code(registration.publish([{ name: "a.service", state }]))).toBe("lease-lost");
  });
});

describe("what is wrong with etcd is said, by name", () => {
  const attempt = async (config: Parameters<EtcdServer["config"]>[0], url?: string): Promise<RegistryError> => {
    const etcd = new Etcd3Client(
      server().config({
        FLEET_ETCD_REQUEST_TIMEOUT: "2",
        ...(url === undefined ? {} : { FLEET_ETCD_SERVERS: url }),
        ...config,
      }),
    );
    try {
      await etcd.range(new Keys("/x/").all());
      return expect.unreachable();
    } catch (error) {
      if (error instanceof RegistryError) return error;
      throw error;
    } finally {
      etcd.close();
    }
  };
  it("nobody listens", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const error = await attempt({}, url);
    expect(error.code).toBe("unavailable");
    expect(error.message).toContain(url.slice(7));
  });
  it("another endpoint answers where one is dead", async () => {
    const etcd = new Etcd3Client(
      server().config({ FLEET_ETCD_SERVERS: `http://127.0.0.1:${await freePort()},${server().url}` }),
    );
    for (let index = 0; index < 10; index++) await etcd.range(new Keys("/x/").all());
    etcd.close();
  });
  it("a user name where etcd has no authentication, a wrong password, and none where one is needed", async () => {
    expect((await attempt({ FLEET_ETCD_USERNAME: "root", FLEET_ETCD_PASSWORD: "x" })).message).toContain(
      "authentication disabled",
    );
    const secured = await EtcdServer.start();
    try {
      const etcdctl = (...args: string[]) =>
        execFileSync("etcdctl", ["--endpoints", secured.url, ...args], {
          env: { ...process.env, ETCDCTL_API: "3" },
          stdio: "pipe",
        });
      etcdctl("user", "add", "root:right");
      etcdctl("user", "grant-role", "root", "root");
      etcdctl("auth", "enable");
      const wrong = await attempt({ FLEET_ETCD_USERNAME: "root", FLEET_ETCD_PASSWORD: "wrong" }, secured.url);
      expect(wrong.code).toBe("unauthenticated");
      expect(wrong.message).toContain("check etcd_username and etcd_password");
      expect((await attempt({}, secured.url)).message).toContain("wants a user name and password");
      const etcd = new Etcd3Client(
        server().config({ FLEET_ETCD_SERVERS: secured.url, FLEET_ETCD_USERNAME: "root", FLEET_ETCD_PASSWORD: "right" }),
      );
      await etcd.range(new Keys("/x/").all());
      etcd.close();
    } finally {
      await secured.stop();
    }
  });
});

import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { FleetApiError } from "@fleet/client";
import { cordonMachine, parseUnitFile, RegistryError, UnitWriter, uncordonMachine } from "@fleet/registry";
import { LateWrite } from "../late-write.ts";
import { isOfNewerVersion } from "../newer-version.ts";
import { etcdctl, type Fault, LEADING, lasting, on } from "../target.ts";

const LATE = "late-0.service";

/** Of what is under fleet's keys, and of those who write it; docs/reliability.md says what they do. */
export const DATA_FAULTS: Readonly<Record<string, Fault>> = {
  "malformed values": async (target) => {
    const { random, registry } = target;
    const { prefix } = registry.keys;
    const values = ["{", "[]", "null", "\u0001", '{"hash":7}', "x".repeat(1000)];
    const machine = [...target.cluster.cluster.network.hosts.values()].map(({ machineID }) => machineID)[
      random.between(0, 3)
    ];
    const keys = [
      "units/broken.service",
      `schedule/${machine}/broken.service`,
      `states/${machine}/broken.service`,
      "global/broken.service",
      `machines/${"f".repeat(32)}`,
      `cordons/${"f".repeat(32)}`,
      "moves/broken.service",
      `unit-files/${"f".repeat(40)}`,
      `machine-metadata/${"f".repeat(32)}/x`,
      "nonsense/x",
    ];
    const key = prefix + random.pick(keys);
    await etcdctl(target, "put", "--", key, random.pick(values));
    await sleep(1_500);
    await etcdctl(target, "del", key);
    return `malformed value at ${key}`;
  },
  "late creations": async ({ cluster, registry, history, random, traffic }) => {
    const { etcd, keys } = registry;
    const isCarriedOut = random.chance(0.5);
    const late = new LateWrite(etcd, isCarriedOut);
    const options = parseUnitFile("[Service]\nExecStart=/bin/sleep infinity\n");
    const machineID = "e".repeat(32);
    const isOfUnit = random.chance(0.5);
    const cordon = { drain: false, since: new Date() };
    try {
      await (isOfUnit
        ? new UnitWriter(late, keys).submit({ kind: "set", name: LATE, options, desiredState: "launched" })
        : cordonMachine(late, keys, machineID, cordon)
      ).catch(ignoreRegistry);
      if (isOfUnit) {
        // Somebody else has it by then, and is done with it.
        await traffic.api.setUnit(LATE, { options, desiredState: "launched" });
        await traffic.api.deleteUnit(LATE);
      } else {
        await cordonMachine(etcd, keys, machineID, cordon);
        await uncordonMachine(etcd, keys, machineID);
      }
      const what = isOfUnit ? `the creation of ${LATE}` : "a cordon";
      if ((await late.arrive()) === true) history.break(6, `${what} came late, and brought back what was taken away`);
      return `${what} came ${isCarriedOut ? "once more" : "late"}, after it was undone`;
    } catch (error) {
      if (!(error instanceof RegistryError || error instanceof FleetApiError)) throw error;
      return `nothing came late: ${error.message}`;
    } finally {
      const isGone = (): Promise<boolean> =>
        traffic.api.deleteUnit(LATE).then(
          () => true,
          (error: unknown) => error instanceof FleetApiError && error.status === 404,
        );
      if (isOfUnit) await cluster.until(`${LATE} to be gone`, isGone, 60_000);
    }
  },
  "cloned machine ID": async (target) => {
    const [original, clone] = [3, 4] as const;
    const script = `systemctl stop fleet-clone 2>/dev/null; machine=$0; echo "$machine" >/root/clone-id
      systemd-run --unit=fleet-clone --setenv=FLEET_UNITS_DIRECTORY=/run/fleet-clone/units \\
        --property=BindReadOnlyPaths=/root/clone-id:/etc/machine-id /usr/bin/fleetd agent`;
    const id = target.cluster.cluster.network.hosts.get(original)?.machineID ?? "";
    await target.cluster.cluster.network.exec(clone, ["bash", "-c", script, id]);
    await lasting(target, 3, 6);
    await on(target, clone, "systemctl stop fleet-clone; true");
    return `h${clone} ran an agent with h${original}'s machine ID`;
  },
  "units of a newer version": async ({ registry, random }) => {
    const { etcd, keys } = registry;
    const changed: string[] = [];
    try {
      for (const kind of ["units", "schedule"]) {
        const { keyValues } = await etcd.range({ start: `${keys.prefix}${kind}/`, end: `${keys.prefix}${kind}0` });
        for (const { key, value, modRevision } of keyValues) {
          if (!random.chance(0.4) || !value.endsWith("}") || isOfNewerVersion(key)) continue;
          const newer = `${value.slice(0, -1)},"newer":{"of":["a version to come"]}}`;
          const { succeeded } = await etcd.txn([{ key, modRevision }], [{ put: key, value: newer }]);
          if (succeeded) changed.push(key.slice(keys.prefix.length));
        }
      }
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
    }
    return `a newer version has written ${changed.join(", ")}`;
  },
  "client died half-way": async ({ cluster, random, history }) => {
    const name = "half.service";
    const text = "[Service]\nExecStart=/bin/sleep infinity\n";
    const endpoint = cluster.cluster.endpoint(random.pick(LEADING));
    const file = cluster.file(name, text);
    const fleetctl = (...args: readonly string[]) =>
      cluster.fleetctlWith({ env: { FLEETCTL_ENDPOINT: endpoint } }, ...args);
    await sendHalf(endpoint, name);
    const half = await fleetctl("cat", name);
    if (half.code === 0) history.break(6, `half of a request has made a unit: ${half.stdout}`);
    await cluster.fleetctlWith(
      { env: { FLEETCTL_ENDPOINT: endpoint }, killAfterMs: random.between(20, 600) },
      "start",
      file,
    );
    await again("start", () => fleetctl("start", file));
    const { stdout } = await again("cat", () => fleetctl("cat", name));
    if (stdout !== text) history.break(9, `${name} was submitted by a client that died before, and is now: ${stdout}`);
    await cluster.fleetctlWith(
      { env: { FLEETCTL_ENDPOINT: endpoint }, killAfterMs: random.between(20, 300) },
      "destroy",
      name,
    );
    await again("destroy", () => fleetctl("destroy", name));
    return "clients died half-way, and were started again";

    async function again(what: string, run: () => ReturnType<typeof fleetctl>): ReturnType<typeof fleetctl> {
      const endsAt = performance.now() + 60_000;
      for (;;) {
        const output = await run();
        if (output.code === 0) return output;
        if (performance.now() > endsAt) {
          history.break(6, `fleetctl ${what} of ${name} failed for a minute: ${output.stderr}`);
          return output;
        }
        await sleep(500);
      }
    }
  },
};

function ignoreRegistry(error: unknown): void {
  if (!(error instanceof RegistryError)) throw error;
}

/** Sends a request's head and half of its body, and goes away. */
async function sendHalf(endpoint: string, name: string): Promise<void> {
  const { hostname, port } = new URL(endpoint);
  const body = JSON.stringify({
    name,
    desiredState: "launched",
    options: [{ section: "Service", name: "ExecStart", value: "/bin/half" }],
  });
  const head = `PUT /fleet/v1/units/${name} HTTP/1.1\r\nHost: fleet\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host: hostname, port: Number(port), timeout: 2_000 }, () => {
    socket.write(head + body.slice(0, body.length / 2), () => socket.destroy());
  });
  socket.on("timeout", () => socket.destroy());
  socket.on("error", () => undefined);
  socket.on("close", () => resolve());
  await promise;
}

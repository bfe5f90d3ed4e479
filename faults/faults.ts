import { setTimeout as sleep } from "node:timers/promises";
import type { TestCluster } from "../e2e/test-cluster.ts";
import type { Dice } from "../fuzz/random.ts";
import type { History } from "./history.ts";

/** What faults are done to, and what they leave for the checks to know. */
export interface Target {
  readonly cluster: TestCluster;
  readonly random: Dice;
  readonly history: History;
  /** Units that a fault has stopped or started by hand; `*@N`: all of host N. */
  readonly disturbed: Set<string>;
}

/** A fault: does its harm, lasts, and is over when it is fulfilled. */
type Fault = (target: Target) => Promise<string>;

const HOSTS = [1, 2, 3, 4] as const;
/** Hosts with an engine and an API. */
const LEADING = [1, 2] as const;

const hostOf = ({ random }: Target): number => random.pick(HOSTS);
const lasting = (target: Target, low: number, high: number): Promise<void> =>
  sleep(target.random.between(low * 1000, high * 1000));

function serviceOf(target: Target): readonly [number, string] {
  const service = target.random.pick(["fleet-agent", "fleet-engine", "fleet-api"]);
  return [service === "fleet-agent" ? hostOf(target) : target.random.pick(LEADING), service];
}

async function on(target: Target, host: number, script: string): Promise<string> {
  const { stdout } = await target.cluster.cluster.network.exec(host, ["bash", "-c", script], { timeoutMs: 30_000 });
  return stdout.trim();
}

/** By their names in docs/reliability.md. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  "process killed": async (target) => {
    const [host, service] = serviceOf(target);
    await on(target, host, `systemctl kill -s KILL ${service}`);
    return `${service} of h${host} killed`;
  },
  "process frozen": async (target) => {
    const [host, service] = serviceOf(target);
    await on(target, host, `systemctl kill -s STOP ${service}`);
    await lasting(target, 1, 9);
    await on(target, host, `systemctl kill -s CONT ${service}`);
    return `${service} of h${host} frozen for a while`;
  },
  "process restarted": async (target) => {
    const [host, service] = serviceOf(target);
    await on(target, host, `systemctl restart ${service}`);
    return `${service} of h${host} restarted`;
  },
  failpoints: async (target) => {
    const host = hostOf(target);
    const points =
      "etcd.before-txn etcd.after-txn agent.after-write agent.after-load agent.before-start agent.after-start agent.after-stop agent.after-unload";
    const chances = points
      .split(" ")
      .map((point) => `${point}=0.15`)
      .join(",");
    const services = host <= 2 ? "fleet-agent fleet-engine fleet-api" : "fleet-agent";
    await on(target, host, `echo 'FLEET_FAILPOINTS=${chances}' >/run/fleet-failpoints; systemctl restart ${services}`);
    await lasting(target, 4, 8);
    await on(target, host, `rm -f /run/fleet-failpoints; systemctl restart ${services}`);
    return `failpoints on h${host}`;
  },
  "etcd member killed": async ({ cluster: { cluster }, random }) => {
    const member = random.between(0, cluster.etcdURLs.length - 1);
    await cluster.signalMember(member, "KILL");
    await sleep(random.between(500, 5_000));
    await cluster.startEtcd();
    return `etcd member ${member} killed and started again`;
  },
  "etcd leader moved": async ({ cluster: { cluster }, random }) => {
    const leader = await cluster.etcdLeader();
    if (leader < 0) return "etcd has no leader";
    const list = await cluster.network.inside(
      "env",
      "ETCDCTL_API=3",
      "etcdctl",
      `--endpoints=${cluster.etcdURL}`,
      "member",
      "list",
    );
    const others = list.split("\n").filter((line) => line !== "" && !line.includes(`, m${leader},`));
    const to = random.pick(others).split(",")[0] ?? "";
    const url = cluster.etcdURLs[leader] ?? "";
    await cluster.network
      .inside("env", "ETCDCTL_API=3", "etcdctl", `--endpoints=${url}`, "move-leader", to)
      .catch(() => "");
    return `etcd's leadership moved from member ${leader} to ${to}`;
  },
  "etcd without quorum": async (target) => {
    const { cluster } = target.cluster;
    const members = [...cluster.etcdURLs.keys()].slice(1);
    for (const member of members) await cluster.signalMember(member, "STOP");
    await lasting(target, 6, 9);
    for (const member of members) await cluster.signalMember(member, "CONT");
    return "etcd without a quorum for longer than agent_ttl";
  },
  "etcd slow": async (target) => {
    const { cluster } = target.cluster;
    for (let count = 0; count < 4; count++) {
      for (const member of cluster.etcdURLs.keys()) await cluster.signalMember(member, "STOP");
      await sleep(target.random.between(500, 2_500));
      for (const member of cluster.etcdURLs.keys()) await cluster.signalMember(member, "CONT");
      await sleep(300);
    }
    return "etcd stalls again and again";
  },
  "etcd compacted": async ({ cluster: { cluster } }) => {
    const etcdctl = ["env", "ETCDCTL_API=3", "etcdctl", `--endpoints=${cluster.etcdURLs.join(",")}`];
    const status = await cluster.network.inside(...etcdctl, "get", "nothing", "-w", "json").catch(() => "{}");
    const revision = /"revision":(\d+)/.exec(status)?.[1];
    if (revision !== undefined) await cluster.network.inside(...etcdctl, "compact", revision).catch(() => "");
    return `etcd compacted at ${revision}`;
  },
  "network cut": async (target) => {
    const host = hostOf(target);
    const { network } = target.cluster.cluster;
    await network.cut(host);
    await lasting(target, 2, 9);
    await network.heal(host);
    return `h${host} cut off`;
  },
  "network cut one way": async (target) => {
    const host = hostOf(target);
    const { prefix } = target.cluster.cluster.network;
    const each = (verb: string): string => `for n in 2 3 4; do ip route ${verb} blackhole ${prefix}.$n/32; done`;
    await on(target, host, each("add"));
    await lasting(target, 2, 9);
    await on(target, host, each("del"));
    return `h${host} could not send to etcd`;
  },
  "network flapping": async (target) => {
    const host = hostOf(target);
    const { network } = target.cluster.cluster;
    for (let count = 0; count < 8; count++) {
      await network.cut(host);
      await sleep(target.random.between(100, 700));
      await network.heal(host);
      await sleep(target.random.between(100, 700));
    }
    return `h${host}'s network flapped`;
  },
  "host lost power": async (target) => {
    const host = target.random.pick([3, 4]);
    const { cluster } = target.cluster;
    target.disturbed.add(`*@${host}`);
    await cluster.network.killHost(host);
    await lasting(target, 1, 9);
    await cluster.network.startHost(host, cluster.hostOptions(host));
    return `h${host} lost its power and booted again`;
  },
  "run full": async (target) => {
    const host = hostOf(target);
    const size = await on(target, host, "findmnt -no OPTIONS /run | grep -o 'size=[^,]*'");
    // No larger than what is in it now.
    await on(target, host, "mount -o remount,size=$(df --output=used -k /run | tail -n 1 | tr -d ' ')k /run");
    await lasting(target, 2, 6);
    await on(target, host, `mount -o remount,${size === "" ? "size=20%" : size} /run`);
    return `/run of h${host} was full`;
  },
  "dbus restarted": async (target) => {
    const host = hostOf(target);
    await on(target, host, "systemctl kill -s KILL dbus");
    return `D-Bus of h${host} killed`;
  },
  "systemd reexecuted": async (target) => {
    const host = hostOf(target);
    await on(target, host, "systemctl daemon-reexec; systemctl daemon-reload");
    return `systemd of h${host} reexecuted and reloaded`;
  },
  "stopped by hand": async (target) => {
    const host = hostOf(target);
    const list = "systemctl list-units --plain --no-legend --state=active 'free-*' 'rack-*' | cut -d' ' -f1";
    const units = (await on(target, host, list)).split("\n").filter((name) => name !== "");
    if (units.length === 0) return "nothing to stop by hand";
    const unit = target.random.pick(units);
    target.disturbed.add(unit);
    // Until somebody starts it again, as the spec has it: what an operator stops stays stopped.
    await on(target, host, `systemctl stop ${unit}; sleep 1; systemctl start ${unit}`);
    return `${unit} stopped and started by hand on h${host}`;
  },
  "malformed values": async ({ cluster: { cluster }, random }) => {
    const etcdctl = ["env", "ETCDCTL_API=3", "etcdctl", `--endpoints=${cluster.etcdURLs.join(",")}`];
    const prefix = "/_coreos.com/fleet/";
    const values = ["{", "[]", "null", "\u0000", '{"hash":7}', "x".repeat(1000)];
    const machine = [...cluster.network.hosts.values()].map(({ machineID }) => machineID)[random.between(0, 3)];
    const keys = [
      "units/broken.service",
      `schedule/${machine}/broken.service`,
      `states/${machine}/broken.service`,
      "global/broken.service",
      `machines/${"f".repeat(32)}`,
      `cordons/${"f".repeat(32)}`,
      "moves/broken.service",
      "nonsense/x",
    ];
    const key = prefix + random.pick(keys);
    await cluster.network
      .inside(...etcdctl, "put", "--", key, random.pick(values).replace("\u0000", "\u0001"))
      .catch(() => "");
    await sleep(1_500);
    await cluster.network.inside(...etcdctl, "del", key).catch(() => "");
    return `malformed value at ${key}`;
  },
  "cloned machine ID": async (target) => {
    const [original, clone] = [3, 4] as const;
    const script = `systemctl stop fleet-clone 2>/dev/null; cp /etc/machine-id /root/own-id
      machine=$0; echo "$machine" >/root/clone-id
      systemd-run --unit=fleet-clone --setenv=FLEET_UNITS_DIRECTORY=/run/fleet-clone/units \\
        --property=BindReadOnlyPaths=/root/clone-id:/etc/machine-id /usr/bin/fleetd agent`;
    const id = target.cluster.cluster.network.hosts.get(original)?.machineID ?? "";
    await target.cluster.cluster.network.exec(clone, ["bash", "-c", script, id]);
    await lasting(target, 3, 6);
    await on(target, clone, "systemctl stop fleet-clone; true");
    return `h${clone} ran an agent with h${original}'s machine ID`;
  },
};

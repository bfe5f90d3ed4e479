import { setTimeout as sleep } from "node:timers/promises";
import { Etcd3 } from "etcd3";
import { etcdctl, type Fault, hostOf, lasting, withEnvironment } from "../target.ts";

/** Of etcd, and of what comes from it; docs/reliability.md says what they do. */
export const ETCD_FAULTS: Readonly<Record<string, Fault>> = {
  "etcd member killed": async ({ cluster: { cluster }, random }) => {
    const member = random.between(0, cluster.etcdURLs.length - 1);
    await cluster.signalMember(member, "KILL");
    await sleep(random.between(500, 5_000));
    await cluster.startEtcd();
    return `etcd member ${member} killed and started again`;
  },
  "etcd leader moved": async (target) => {
    const { cluster } = target.cluster;
    const leader = await cluster.etcdLeader();
    if (leader < 0) return "etcd has no leader";
    const list = await etcdctl(target, "member", "list");
    const others = list.split("\n").filter((line) => line !== "" && !line.includes(`, m${leader},`));
    if (others.length === 0) return "etcd's members could not be asked";
    const to = target.random.pick(others).split(",")[0] ?? "";
    // Only the leader itself takes the order.
    const command = ["env", "ETCDCTL_API=3", "etcdctl", `--endpoints=${cluster.etcdURLs[leader] ?? ""}`];
    await cluster.network.inside(...command, "move-leader", to).catch(() => "");
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
  "etcd frozen": async (target) => {
    const { cluster } = target.cluster;
    for (const member of cluster.etcdURLs.keys()) await cluster.signalMember(member, "STOP");
    await lasting(target, 6, 9);
    for (const member of cluster.etcdURLs.keys()) await cluster.signalMember(member, "CONT");
    return "all of etcd frozen for longer than agent_ttl";
  },
  "etcd slow": async (target) => {
    const { cluster } = target.cluster;
    for (let count = 0; count < 3; count++) {
      for (const member of cluster.etcdURLs.keys()) await cluster.signalMember(member, "STOP");
      await lasting(target, 1, 5);
      for (const member of cluster.etcdURLs.keys()) await cluster.signalMember(member, "CONT");
      await sleep(300);
    }
    return "etcd stalls again and again";
  },
  "etcd compacted": async (target) => {
    const revision = /"revision":(\d+)/.exec(await etcdctl(target, "get", "nothing", "-w", "json"))?.[1];
    if (revision !== undefined) await etcdctl(target, "compact", revision);
    return `etcd compacted at ${revision}`;
  },
  "etcd out of space": async (target) => {
    const etcd = new Etcd3({ hosts: [...target.cluster.cluster.etcdURLs], dialTimeout: 2_000 });
    try {
      const { members } = await etcd.cluster.memberList({});
      const memberID = target.random.pick(members).ID;
      await etcd.maintenance.alarm({ action: "ACTIVATE", memberID, alarm: "NOSPACE" } as never);
      await lasting(target, 3, 9);
    } finally {
      etcd.close();
      const isDisarmed = async (): Promise<boolean> => {
        await etcdctl(target, "alarm", "disarm");
        return !(await etcdctl(target, "alarm", "list")).includes("NOSPACE");
      };
      await target.cluster.until("the alarm to be over", isDisarmed, 30_000);
    }
    return "etcd had no space left";
  },
  "watch events late and twice": async (target) => {
    const host = hostOf(target);
    const chances = "etcd.watch-late=0.3,etcd.watch-twice=0.3";
    await withEnvironment(target, host, `FLEET_FAILPOINTS=${chances}`, () => lasting(target, 4, 10));
    return `watch events came late and twice on h${host}`;
  },
  "events dropped": async (target) => {
    const host = hostOf(target);
    await withEnvironment(target, host, "FLEET_FAILPOINTS=etcd.event-dropped=0.05", () => lasting(target, 4, 10));
    return `events of watches were dropped on h${host}`;
  },
  "answers of etcd lost": async (target) => {
    const host = hostOf(target);
    await withEnvironment(target, host, "FLEET_FAILPOINTS=etcd.answer-lost=0.3", () => lasting(target, 4, 8));
    return `answers of etcd were lost on h${host}`;
  },
};

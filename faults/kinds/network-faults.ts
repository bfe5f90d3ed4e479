import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, hostOf, lasting, on } from "../target.ts";

/** Of the network; docs/reliability.md says what they do. */
export const NETWORK_FAULTS: Readonly<Record<string, Fault>> = {
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
  "network slow": async (target) => {
    const host = hostOf(target);
    const { network } = target.cluster.cluster;
    // Packets wait in a queue, for up to three seconds; what does not fit into it is lost.
    const queue = "root tbf rate 64kbit burst 1600 latency 3s";
    await network.inside("tc", "qdisc", "replace", "dev", `v${host}`, ...queue.split(" "));
    await on(target, host, `tc qdisc replace dev host0 ${queue}`);
    await lasting(target, 3, 9);
    await network.inside("tc", "qdisc", "del", "dev", `v${host}`, "root");
    await on(target, host, "tc qdisc del dev host0 root");
    return `h${host}'s packets were delayed`;
  },
};

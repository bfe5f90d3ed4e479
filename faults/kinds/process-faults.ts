import { type Fault, hostOf, LEADING, lasting, on, type Target, withEnvironment } from "../target.ts";

function serviceOf(target: Target): readonly [number, string] {
  const service = target.random.pick(["fleet-agent", "fleet-engine", "fleet-api"]);
  return [service === "fleet-agent" ? hostOf(target) : target.random.pick(LEADING), service];
}

/** Of agents, engines and APIs; docs/reliability.md says what they do. */
export const PROCESS_FAULTS: Readonly<Record<string, Fault>> = {
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
    const chances = points.split(" ").map((point) => `${point}=0.15`);
    await withEnvironment(target, host, `FLEET_FAILPOINTS=${chances}`, () => lasting(target, 4, 8));
    return `failpoints on h${host}`;
  },
};

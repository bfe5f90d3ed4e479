import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "../command.ts";
import { concurrently, unitNames } from "../units.ts";
import { readWaiting, WAIT_FLAGS } from "./desired-state.ts";

const SAY_AFTER_MS = 5_000;

export const destroy: Command = {
  name: "destroy",
  args: "<unit...>",
  summary: "Destroy one or more units in the cluster",
  description: `Stop one or more units, take them off their machines and remove them from the cluster for good.

Units that are not there are skipped. Waits until no machine reports the units any more.`,
  flags: WAIT_FLAGS,
  examples: ["fleetctl destroy foo.service", "fleetctl destroy web@{1..3}"],
  async run(context, args, flags) {
    const { block, attempts } = readWaiting(flags);
    const client = await context.client();
    const names = unitNames(args);
    const destroyed = new Set<string>();
    await concurrently(names, async (name) => {
      if (await client.destroyUnit(name)) destroyed.add(name);
    });
    for (const name of names) if (destroyed.has(name)) context.out(`Destroyed ${name}`);
    if (!block || destroyed.size === 0) return 0;
    const endsAt = attempts > 0 ? performance.now() + attempts * 500 : Number.POSITIVE_INFINITY;
    let sayAt = performance.now() + SAY_AFTER_MS;
    for (let pauseMs = 15; ; pauseMs = Math.min(pauseMs * 1.5, 500)) {
      const states =
        destroyed.size > 8
          ? await client.states()
          : (await Promise.all([...destroyed].map((name) => client.states(name)))).flat();
      const left = [...new Set(states.map(({ name }) => name).filter((name) => destroyed.has(name)))];
      if (left.length === 0) return 0;
      if (performance.now() >= endsAt) {
        context.err(`Error: timed out waiting for machines to unload ${left.join(", ")}; they go on with it`);
        return 1;
      }
      if (performance.now() >= sayAt) {
        sayAt = performance.now() + SAY_AFTER_MS;
        context.err(
          `Still waiting for machines to unload ${left.slice(0, 3).join(", ")}${left.length > 3 ? ` and ${left.length - 3} more` : ""}`,
        );
      }
      await sleep(pauseMs);
    }
  },
};

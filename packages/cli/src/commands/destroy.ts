import type { Command } from "../command.ts";
import { concurrently, unitNames } from "../units.ts";
import { followUnits, statesOf, untilSettled } from "../wait.ts";
import { readWaiting, WAIT_FLAGS } from "./desired-state.ts";

export const destroy: Command = {
  name: "destroy",
  isClassic: true,
  args: "<unit...>",
  summary: "Destroy one or more units in the cluster",
  description: `Stop one or more units, take them off their machines and remove them from the cluster for good.

Units that are not there are skipped. Waits until no machine reports the units any more.`,
  flags: WAIT_FLAGS,
  examples: ["fleetctl destroy foo.service", "fleetctl destroy web@{1..3}"],
  completes: "unit",
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
    let left: readonly string[] = [];
    const look = async (): Promise<true | null> => {
      const states = await statesOf(client, [...destroyed]);
      left = [...new Set(states.map(({ name }) => name).filter((name) => destroyed.has(name)))];
      return left.length === 0 ? true : null;
    };
    const onSlow = async (): Promise<void> => {
      const more = left.length > 3 ? ` and ${left.length - 3} more` : "";
      context.err(`Still waiting for machines to unload ${left.slice(0, 3).join(", ")}${more}`);
    };
    const follower = await followUnits(client, [...destroyed]);
    if ((await untilSettled(follower, attempts, look, onSlow)) !== null) return 0;
    context.err(`Error: timed out waiting for machines to unload ${left.join(", ")}; they go on with it`);
    return 1;
  },
};

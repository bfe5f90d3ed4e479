import { concurrently } from "../../client/concurrently.ts";
import type { Command } from "../../command.ts";
import { sayUnknown, unitNames } from "../../targets/units.ts";
import { waitUntilGone } from "../../waiting/wait-until-gone.ts";
import { MESSAGE_FLAG, readMessage, readWaitOptions, WAIT_FLAGS } from "./desired-state.ts";

export const destroy: Command = {
  name: "destroy",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "No units given",
  isChange: true,
  summary: "Destroy one or more units in the cluster",
  description: `Stop one or more units, unload them from their machines and remove them from the cluster.

Unknown units are skipped. The command waits until no machine reports the units.`,
  flags: [...WAIT_FLAGS, MESSAGE_FLAG],
  examples: ["fleetctl destroy foo.service", "fleetctl destroy web@{1..3}"],
  completes: "unit",
  async run(context, args, flags) {
    const { block, mostMs } = readWaitOptions(flags);
    const client = await context.client();
    const names = unitNames(args);
    const message = readMessage(flags);
    const destroyed = new Set<string>();
    await concurrently(names, async (name) => {
      if (await client.destroyUnit(name, message)) destroyed.add(name);
    });
    for (const name of names) if (destroyed.has(name)) context.out(`Destroyed ${name}`);
    await sayUnknown(context, names, destroyed);
    if (!block || destroyed.size === 0) return 0;
    return (await waitUntilGone(context, [...destroyed], mostMs)) ? 0 : 1;
  },
};

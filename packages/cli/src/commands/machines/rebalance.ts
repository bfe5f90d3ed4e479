import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { follow } from "../../follow.ts";
import { machineLegend } from "../../printing/machine-text.ts";
import { findUnits } from "../../units.ts";
import { machineMap, untilSettled } from "../../wait.ts";

export const rebalance: Command = {
  name: "rebalance",
  args: "",
  summary: "Move units so that the cluster is even",
  description: `Move units from machines that carry much to those that carry less, and to machines that they prefer. Nothing is ever
moved for that unless it is asked for here. Units with Stay=true, MachineID=, MachineOf= or Replaces= are left where they are.

The engine makes the moves, as a drain does: it goes on when fleetctl is interrupted.`,
  flags: [
    { flags: "--dry-run", description: "Only show the moves" },
    { flags: "--limit <n>", description: "Moves on their way at a time", default: "1" },
    { flags: "--timeout <seconds>", description: "Stop waiting after so many seconds; 0: never", default: "0" },
    { flags: "--no-block", description: "Do not wait until the moves are made" },
  ],
  examples: ["fleetctl rebalance --dry-run", "fleetctl rebalance --limit 5"],
  async run(context, _args, flags) {
    const limit = Number(flags.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      throw new CommandError(`invalid --limit ${JSON.stringify(flags.limit)}: expected a number from 1 to 1000`);
    const timeout = Number(flags.timeout);
    if (!Number.isFinite(timeout) || timeout < 0)
      throw new CommandError(`invalid --timeout ${JSON.stringify(flags.timeout)}: expected seconds`);
    const client = await context.client();
    const dryRun = flags.dryRun === true;
    const machines = await machineMap(client);
    const moves = await client.rebalance({ dryRun, limit });
    for (const { unit, from, to, reason } of moves) {
      const where = `from ${machineLegend(from ?? "", machines, false)} to ${machineLegend(to, machines, false)}`;
      context.out(`Unit ${unit} ${dryRun ? "would move" : "moves"} ${where} (${reason})`);
    }
    if (moves.length === 0) context.out("The cluster is even: nothing would be better elsewhere.");
    if (dryRun || moves.length === 0 || flags.block === false) return 0;
    let left = moves.length;
    const look = async (): Promise<true | null> => {
      left = (await client.moves()).length;
      context.progress(left === 0 ? null : `${moves.length - left} of ${moves.length} units moved`);
      return left === 0 ? true : null;
    };
    const onSlow = async (): Promise<void> => {
      context.progress(null);
      context.err(`Still waiting for ${left} moves`);
    };
    const follower = await follow(client, {});
    const isDone = (await untilSettled(follower, timeout * 2, look, onSlow, () => 1000)) !== null;
    context.progress(null);
    if (!isDone) {
      context.err(`Error: timed out: ${left} moves are not made yet; the engine goes on with them`);
      return 1;
    }
    const names = moves.map(({ unit }) => unit);
    const units = await findUnits(client, names);
    const elsewhere = moves.filter(({ unit, to }) => units.has(unit) && units.get(unit)?.machineID !== to);
    for (const { unit, to } of elsewhere) {
      const on = units.get(unit)?.machineID ?? null;
      const is = on === null ? "is on no machine" : `is on ${machineLegend(on, machines, false)}`;
      context.err(`Error: unit ${unit} was not moved to ${machineLegend(to, machines, false)}: it ${is}`);
    }
    return elsewhere.length === 0 ? 0 : 1;
  },
};

import type { ClusterClient, MachineInfo, Move } from "../../client/cluster-client.ts";
import { findUnits, machinesByID } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { machineLegend } from "../../printing/machine-text.ts";
import { follow } from "../../waiting/follow.ts";
import { untilSettled } from "../../waiting/until-settled.ts";
import { whyNot } from "../../waiting/why-not.ts";
import { readTimeoutMs, TIMEOUT_FLAG } from "./timeout.ts";

/** When to look again though nothing happens. */
const AGAIN_MS = 1_000;

export const rebalance: Command = {
  name: "rebalance",
  args: "",
  isChange: true,
  summary: "Move units to even out the load of machines",
  description: `Move units from heavily loaded machines to less loaded ones, and to machines that they prefer. fleet never does this by
itself. Units with Stay=true, MachineID=, MachineOf= or Replaces= are not moved.

The engine makes the moves, and continues when fleetctl is interrupted.`,
  flags: [
    { flags: "--dry-run", description: "Show the moves without making them" },
    { flags: "--limit <n>", description: "Moves in progress at a time", default: "1" },
    TIMEOUT_FLAG,
    { flags: "--no-block", description: "Do not wait until the moves are made" },
  ],
  examples: ["fleetctl rebalance --dry-run", "fleetctl rebalance --limit 5"],
  async run(context, _args, flags) {
    const limit = Number(flags.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      throw new CommandError(`invalid --limit ${JSON.stringify(flags.limit)}: expected a number from 1 to 1000`);
    const mostMs = readTimeoutMs(flags);
    const client = await context.client();
    const dryRun = flags.dryRun === true;
    const machines = await machinesByID(client);
    const moves = await client.rebalance({ dryRun, limit });
    for (const { unit, from, to, reason } of moves) {
      const where = `from ${machineLegend(from ?? "", machines, false)} to ${machineLegend(to, machines, false)}`;
      context.out(`Unit ${unit} ${dryRun ? "would move" : "moves"} ${where} (${reason})`);
    }
    if (moves.length === 0) context.out("The cluster is balanced: no unit would be better placed elsewhere.");
    if (dryRun || moves.length === 0 || flags.block === false) return 0;
    return (await untilMoved(context, client, moves, machines, mostMs)) ? 0 : 1;
  },
};

/** Waits until moves are made, and says which of them were not. */
async function untilMoved(
  context: Context,
  client: ClusterClient,
  moves: readonly Move[],
  machines: ReadonlyMap<string, MachineInfo>,
  mostMs: number,
): Promise<boolean> {
  let left = moves.length;
  const isDone = await untilSettled(await follow(client, {}), mostMs, {
    async look() {
      left = (await client.moves()).length;
      context.progress(left === 0 ? null : `${moves.length - left} of ${moves.length} units moved`);
      return left === 0 ? true : null;
    },
    async waitingFor() {
      const names = (await client.moves()).map(({ unit }) => unit);
      const why = await whyNot(client, names, { state: "launched", systemd: "up" });
      return `Still waiting for ${left} moves: ${why}`;
    },
    say(line) {
      context.progress(null);
      context.err(line);
    },
    lookAgainMs: () => AGAIN_MS,
  });
  context.progress(null);
  if (isDone === null) {
    context.err(`Error: timed out: ${left} moves are pending; the engine continues`);
    return false;
  }
  const units = await findUnits(
    client,
    moves.map(({ unit }) => unit),
  );
  const elsewhere = moves.filter(({ unit, to }) => units.has(unit) && units.get(unit)?.machineID !== to);
  for (const { unit, to } of elsewhere) {
    const on = units.get(unit)?.machineID ?? null;
    const is = on === null ? "is not placed" : `is on ${machineLegend(on, machines, false)}`;
    context.err(`Error: unit ${unit} was not moved to ${machineLegend(to, machines, false)}: it ${is}`);
  }
  return elsewhere.length === 0;
}

import type { Roll, RollOrder } from "@fleet/client";
import { terminalLine } from "@fleet/domain/text";
import type { ClusterClient } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { type Columns, listFlags, printList, readListOptions } from "../../printing/list.ts";
import { printJson } from "../../printing/output.ts";
import { formatTable } from "../../printing/table.ts";
import { countsText, statusText, waitForRoll } from "./roll-wait.ts";

const ACTIONS = ["list", "status", "pause", "resume", "undo", "cancel"] as const;
type Action = (typeof ACTIONS)[number];

const FIELDS = "roll,time,kind,status,progress,message";

const COLUMNS: Columns<Roll> = {
  roll: ({ id }) => id,
  time: ({ time }) => time,
  kind: ({ kind }) => kind,
  status: ({ status }) => status,
  progress: (one) => countsText(one),
  by: ({ by }) => by ?? "",
  message: ({ message }) => message ?? "",
};

export const roll: Command = {
  name: "roll",
  args: "<action...>",
  usage: "<action> [roll]",
  isChange: true,
  summary: "Show and steer rolls: changes of many units, a few at a time",
  description: `Show and steer the rolls that "start --replace --roll" and "restart --roll" begin.

  list              the rolls in progress, and the last 20 that are over
  status [roll]     one roll, unit by unit; -w follows it
  pause [roll]      begin nothing more until it is resumed
  resume [roll]     go on, as after --canary
  undo [roll]       give its units their old versions back, in rolls of the same size; also after its end
  cancel [roll]     begin nothing more, and end it when the units in progress are active

Without a number the action is about the only roll in progress, or, for status and undo, the newest one. resume and undo wait
as start does.

Fields of the list: roll, time, kind, status, progress, by, message.`,
  flags: [
    { flags: "-w, --watch", description: "status: follow the roll until it pauses or is over" },
    { flags: "--no-block", description: "resume and undo: do not wait" },
    ...listFlags(FIELDS),
  ],
  examples: ["fleetctl roll list", "fleetctl roll status -w 7", "fleetctl roll undo 7"],
  completes: ACTIONS,
  async run(context, [typed = "", id, ...rest], flags) {
    if (rest.length > 0) throw new CommandError(`roll takes one action and one roll: unexpected ${rest.join(" ")}`);
    const action = ACTIONS.find((one) => one === typed);
    if (action === undefined)
      throw new CommandError(`invalid action ${JSON.stringify(typed)}: expected one of ${ACTIONS.join(", ")}`);
    if (flags.watch === true && action !== "status") throw new CommandError("--watch goes with status only");
    const options = readListOptions(COLUMNS, flags);
    const client = await context.client();
    const rolls = await client.rolls();
    if (rolls === null) throw new CommandError("this server is too old for rolls");
    if (action === "list") {
      if (rolls.length === 0 && !options.isJson) context.err("There are no rolls.");
      else printList(context, COLUMNS, rolls, options, (one) => one);
      return 0;
    }
    const meant = rollMeant(rolls, action, id);
    if (action !== "status") return steer(context, client, meant.id, action, flags.block !== false);
    if (flags.watch === true) return (await waitForRoll(context, client, meant.id)) ? 0 : 1;
    if (options.isJson) printJson(context, meant);
    else tell(context, meant);
    return meant.status === "failed" || meant.status === "undone" ? 1 : 0;
  },
};

/** The roll that an action is about. */
function rollMeant(rolls: readonly Roll[], action: Action, id: string | undefined): Roll {
  if (id !== undefined) {
    const found = rolls.find((one) => one.id === id);
    if (found !== undefined) return found;
    throw new CommandError(
      `There is no roll ${JSON.stringify(id)}, or it is not kept any more: see "fleetctl roll list"`,
    );
  }
  const inProgress = rolls.filter(({ status }) => ["running", "paused", "undoing", "cancelling"].includes(status));
  if (inProgress.length > 1)
    throw new CommandError(`rolls ${inProgress.map((one) => one.id).join(", ")} are in progress: name one of them`);
  const newest = action === "status" || action === "undo" ? rolls.at(-1) : undefined;
  const found = inProgress[0] ?? newest;
  if (found === undefined) throw new CommandError(`no roll is in progress: name one of "fleetctl roll list"`);
  return found;
}

async function steer(
  context: Context,
  client: ClusterClient,
  id: string,
  order: RollOrder,
  block: boolean,
): Promise<number> {
  await client.orderRoll(id, order);
  const isWaitedFor = block && (order === "resume" || order === "undo");
  if (!isWaitedFor) {
    const now = await client.roll(id);
    context.out(`Roll ${id} ${now === null ? "was told" : statusText(now)}`);
    return 0;
  }
  return (await waitForRoll(context, client, id, order === "undo")) ? 0 : 1;
}

function tell(context: Context, one: Roll): void {
  const { id, kind, time, by, message, units, maxUnavailable, settleSeconds, onFailure } = one;
  context.out(`Roll:    ${id}, ${kind} of ${units.length} ${units.length === 1 ? "unit" : "units"}`);
  context.out(`Status:  ${statusText(one)}`);
  context.out(`Units:   ${countsText(one)}`);
  context.out(
    `Rules:   at most ${maxUnavailable} down at a time, active for ${settleSeconds} s, on failure ${onFailure}`,
  );
  context.out(`Begun:   ${time}${by === undefined ? "" : ` by ${by}`}${message === undefined ? "" : ` (${message})`}`);
  const rows = units.map((unit) => [unit.name, unit.phase, unit.why ?? ""].map(terminalLine));
  context.write(formatTable([["UNIT", "PHASE", "WHY"], ...rows]));
}

import { EVENT_KINDS, type EventKind, type FleetEvent } from "@fleet/client";
import type { EventFilter, StreamItem } from "../../client/cluster-client.ts";
import { type Command, repeated } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { machineID } from "../../printing/machine-text.ts";
import { jsonText, OUTPUT_FLAG, readOutput } from "../../printing/output.ts";
import { machinesNamed } from "../../targets/machines.ts";
import { patternOf } from "../../targets/unit-patterns.ts";

const KINDS = Object.keys(EVENT_KINDS);

export const events: Command = {
  name: "events",
  args: "[unit...]",
  summary: "Show events of the cluster, past and present",
  description: `Print events: units submitted, scheduled, moved, started, failed; machines that join and leave; changes of the leader.

Without -f the events that the server still has are printed: those of the last hour, also of before its restart. With -f new
events are printed, until interrupted. With --after events after that etcd revision are printed; each line ends with the
revision of its event, and with the time before which it did not happen where the server has heard of it late. Units may be
globs.

Kinds: ${KINDS.join(", ")}.`,
  flags: [
    { flags: "-f, --follow", description: "Keep printing events as they come" },
    { flags: "--machine <machine>", description: "Only about this machine", isRepeated: true },
    { flags: "--kind <kind>", description: "Only of this kind", isRepeated: true, values: KINDS },
    { flags: "-n, --lines <n>", description: "Only the latest so many of the events that the server still has" },
    { flags: "--after <revision>", description: "Only after this etcd revision" },
    { flags: "-l, --full", description: "Do not shorten machine IDs" },
    { ...OUTPUT_FLAG, description: "text, or json: one event a line" },
  ],
  examples: ["fleetctl events", "fleetctl events -f 'web@*'", "fleetctl events -f --kind failed --output json"],
  completes: "unit",
  async run(context, args, flags) {
    const isJson = readOutput(flags);
    const filter: EventFilter = {
      units: args.map(patternOf),
      kinds: repeated(flags.kind).map(readKind),
    };
    const after = flags.after === undefined ? null : readRevision(String(flags.after));
    const most = flags.lines === undefined ? null : readMost(flags);
    const client = await context.client();
    const named = repeated(flags.machine);
    const machines = named.length === 0 ? [] : [...(await client.machines()), ...(await client.lostMachines())];
    const whole = machinesNamed(machines, named).map(({ id }) => id);
    const stream = await client.events(
      { filter: { ...filter, machines: whole }, after, follow: flags.follow === true },
      context.signal,
    );
    if (stream === null) throw new CommandError("this server is too old to report events");
    const kept: StreamItem[] = [];
    for await (const item of stream) {
      if (most === null) print(context, item, isJson, flags.full === true);
      else if (kept.push(item) > most) kept.shift();
    }
    for (const item of kept) print(context, item, isJson, flags.full === true);
    return 0;
  },
};

function print(context: Context, item: StreamItem, isJson: boolean, isFull: boolean): void {
  if (item.kind === "gap") return context.err(`WARNING: ${item.message}`);
  if (item.kind === "event") context.out(isJson ? jsonText(item.event) : eventLine(item.event, isFull));
}

/** An event as a line: when, what, about which unit or machine, why, and the revision from which --after goes on. */
export function eventLine(event: FleetEvent, isFull: boolean): string {
  const { kind, time, notBefore, revision, cause, unit, machineID: on, previousMachineID: from } = event;
  const short = (id: string): string => machineID(id, isFull);
  const at = from === undefined ? "on" : "to";
  const where = [from === undefined ? "" : `from ${short(from)} `, on === undefined ? "" : `${at} ${short(on)} `].join(
    "",
  );
  const subject = unit === undefined ? "" : `${unit} `;
  const late = notBefore === undefined ? "" : `, not before ${notBefore}`;
  return `${time}  ${kind.padEnd(12)}  ${subject}${where}(${cause}) [revision ${revision}${late}]`;
}

function readKind(kind: string): EventKind {
  if (Object.hasOwn(EVENT_KINDS, kind)) return kind as EventKind;
  throw new CommandError(`invalid --kind ${JSON.stringify(kind)}: expected one of ${KINDS.join(", ")}`);
}

function readMost({ lines, follow }: Readonly<Record<string, unknown>>): number {
  if (follow === true) throw new CommandError("--lines is about past events: it does not go with --follow");
  if (/^\d{1,6}$/.test(String(lines))) return Number(lines);
  throw new CommandError(`invalid --lines ${JSON.stringify(lines)}: expected a number`);
}

function readRevision(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CommandError(`invalid --after ${JSON.stringify(text)}: expected an etcd revision`);
}

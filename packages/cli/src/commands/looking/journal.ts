import type { JournalItem } from "@fleet/client";
import { hasWildcards } from "@fleet/domain/unit";
import type { UnitInfo } from "../../client/cluster-client.ts";
import { findStates } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { journalOverSsh } from "../../journal/over-ssh.ts";
import { Prefixes } from "../../journal/prefixes.ts";
import { JournalPrinter } from "../../journal/printer.ts";
import {
  isForPrograms,
  JOURNAL_FLAGS,
  type JournalRequest,
  journalctlArguments,
  OWN_FORMATS,
  readJournalRequest,
} from "../../journal/request.ts";
import { type MachineUnits, machinesOfUnits, patternsOf, type ReadUnits, unitsToRead } from "../../journal/units.ts";
import { NoWay } from "../../ssh/no-way.ts";
import { runOn } from "../../ssh/run-on-machine.ts";
import { machineOfUnit, machinesNamed } from "../../targets/machines.ts";
import { notLoaded } from "../../targets/not-loaded.ts";
import { isGlobal } from "../../targets/units.ts";
import { sayWhenLate } from "../../waiting/say-when-late.ts";

export const journal: Command = {
  name: "journal",
  aliases: ["logs"],
  isClassic: true,
  args: "<unit...>",
  isLook: true,
  summary: "Print the journal of units in the cluster to stdout",
  description: `Print the latest lines of units' journals from all their machines, merged by time. "fleetctl logs" is the same command.

Units are given as names, globs, or templates, which stand for their instances. With several units, or one on several
machines, each line is prefixed with its unit. With -f the journal is followed, also when units move or restart and when
machines go away and come back, until all units have ended or are destroyed; such changes are printed on standard error.

The API asks the machines. If it can't, for example without link_listen in its fleet.conf, journalctl is run over SSH; the
formats verbose, with-unit and short-monotonic always use SSH. The exit code is 1 if lines of a machine are missing.`,
  flags: JOURNAL_FLAGS,
  examples: [
    "fleetctl journal foo.service",
    "fleetctl journal --lines 100 -f foo.service",
    "fleetctl logs -f 'web@*' db.service",
    "fleetctl logs --since -1h -p err -g refused 'web@*'",
  ],
  completes: "unit",
  async run(context, typed, flags) {
    const request = readJournalRequest(flags);
    // The bytes of other programs would reach the terminal as they are.
    if (request.format === "export" && context.terminal !== null)
      throw new CommandError("--output export is not printed on a terminal: redirect it to a file or a pipe");
    const client = await context.client();
    const patterns = patternsOf(typed);
    const machines = request.machines.length === 0 ? [] : machinesNamed(await client.machines(), request.machines);
    const machineIDs = machines.map(({ id }) => id);
    // The machines answer while the units are looked up. Of a unit that is not there the look-up says more.
    const asking = overLink(context, patterns, request, machineIDs);
    asking.catch(() => undefined);
    const read = await unitsToRead(context, patterns);
    const linked = await asking;
    if (linked !== null) return print(context, linked, read, request);
    const on = await machinesToAsk(context, read, machineIDs);
    const noWay = new NoWay(context, request.isSsh);
    const [only] = on;
    if (only === undefined) return 1;
    // One machine's journalctl prints its own format, and ends as it ends; in format cat whatever a program wrote.
    const isSafe = request.format !== "cat" || context.terminal === null;
    if (on.length === 1 && request.hasPrefix !== true && isSafe) {
      const words = ["journalctl", ...journalctlArguments(only.units, request)];
      const command = request.hasSudo ? ["sudo", ...words] : words;
      return noWay.around(() => runOn(context, only.machine, command, request.sshPort));
    }
    if (!isOwnFormat(request.format))
      throw new CommandError(`--output ${request.format} shows one machine at a time: choose one with --machine`);
    const code = await print(context, journalOverSsh(context, on, request), read, request);
    if (code !== 0) noWay.say();
    return code;
  },
};

/** More of the latest entries than these no API gives. */
const MOST_LINES = 10_000;

/** The journal as the API has it of the machines; null: it can't ask them, or not for this. */
async function overLink(
  context: Context,
  patterns: readonly string[],
  { isSsh, isFollowed, format, lines, since, until, priority, grep }: JournalRequest,
  machines: readonly string[],
): Promise<AsyncIterable<readonly JournalItem[]> | null> {
  if (isSsh || !isOwnFormat(format)) return null;
  const given = Object.entries({ since, until, priority, grep }).filter(([, value]) => value !== undefined);
  const query = {
    ...{ units: patterns, machines, follow: isFollowed, allFields: isForPrograms(format) },
    ...(lines === undefined ? {} : { lines }),
    ...Object.fromEntries(given),
  };
  const client = await context.client();
  if (typeof lines !== "number" || lines <= MOST_LINES) return client.journal(query, context.signal);
  // More than an API keeps: all are read, and the last of them kept here. What follows them can't be told apart, though.
  const all = isFollowed ? null : await client.journal({ ...query, lines: "all" }, context.signal);
  return all === null ? null : lastEntries(all, lines);
}

/** The last entries of a journal that ends, and all that is not an entry. */
async function* lastEntries(
  stream: AsyncIterable<readonly JournalItem[]>,
  count: number,
): AsyncGenerator<readonly JournalItem[]> {
  let entries: JournalItem[] = [];
  for await (const items of stream) {
    entries.push(...items.filter(({ kind }) => kind === "entry"));
    if (entries.length >= 2 * count) entries = entries.slice(-count);
    const others = items.filter(({ kind }) => kind !== "entry");
    if (others.some(({ kind }) => kind === "end")) yield entries.splice(0).slice(-count);
    yield others;
  }
}

function isOwnFormat(format: string): boolean {
  return OWN_FORMATS.some((own) => own === format);
}

async function print(
  context: Context,
  stream: AsyncIterable<readonly JournalItem[]>,
  { patterns, units }: ReadUnits,
  { format, hasPrefix, isFollowed }: JournalRequest,
): Promise<number> {
  const hasColors = context.terminal?.hasColors === true;
  const names = units.map(({ name }) => name);
  const global = new Set(units.filter(isGlobal).map(({ name }) => name));
  const isOfSeveral = patterns.length > 1 || patterns.some(hasWildcards) || global.size > 0;
  const prefixes = !isForPrograms(format) && (hasPrefix ?? isOfSeveral) ? new Prefixes(names, global, hasColors) : null;
  const printer = new JournalPrinter({
    format,
    prefixes,
    hasColors,
    isTerminal: context.terminal !== null,
    isFollowed,
  });
  for await (const items of firstSaid(context, stream)) {
    for (const printed of printer.take(items)) {
      if ("text" in printed) context.write(printed.text);
      else context.err(printed.note);
    }
    await context.drained();
  }
  const [only] = units;
  if (printer.entries === 0 && !isFollowed && units.length === 1 && only !== undefined && isNowhere(only))
    throw notLoaded(context, only.name);
  if (printer.entries === 0 && printer.isWhole && !isFollowed) context.err("-- No entries --");
  return printer.isWhole ? 0 : 1;
}

/** The same stream; where nothing comes of it at first, it is said what is waited for. */
async function* firstSaid<T>(context: Context, stream: AsyncIterable<T>): AsyncGenerator<T> {
  const items = stream[Symbol.asyncIterator]();
  try {
    let next = await sayWhenLate(context, items.next(), "the machines of these units to answer, 10 s at most");
    while (next.done !== true) {
      yield next.value;
      next = await items.next();
    }
  } finally {
    await items.return?.();
  }
}

function isNowhere({ currentState, machineID }: UnitInfo): boolean {
  return currentState === "inactive" && machineID === null;
}

/**
 * The machines to run journalctl on.
 *
 * @throws CommandError where there is none
 */
async function machinesToAsk(
  context: Context,
  { units }: ReadUnits,
  machineIDs: readonly string[],
): Promise<readonly MachineUnits[]> {
  const client = await context.client();
  const [machines, states] = await Promise.all([
    client.machines(),
    findStates(
      client,
      units.map(({ name }) => name),
    ),
  ]);
  const found = machinesOfUnits(units, states, machines, machineIDs);
  const missing = units.filter(({ name }) => !found.some(({ units: own }) => own.includes(name)));
  const [first] = missing;
  if (first !== undefined && found.length === 0) {
    // A machine that is gone is named as such.
    if (!isGlobal(first) && first.currentState !== "inactive" && machineIDs.length === 0)
      machineOfUnit(first, machines);
    throw notLoaded(context, first.name);
  }
  for (const { name } of missing) context.err(`Unit ${name} does not appear to be loaded.`);
  return found;
}

import { MOST_MESSAGE } from "@fleet/domain/cluster";
import type { DesiredState } from "@fleet/domain/unit";
import type { ClusterClient, UnitInfo } from "../../client/cluster-client.ts";
import { concurrently } from "../../client/concurrently.ts";
import { findStates, findUnits, machinesByID } from "../../client/find.ts";
import type { FlagSpec } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { machineName } from "../../printing/machine-text.ts";
import type { SubmitOptions } from "../../submitting/ensure-units.ts";
import { isGlobal } from "../../targets/units.ts";
import type { Goal } from "../../waiting/verdict.ts";
import { waitForUnits } from "../../waiting/wait-for-units.ts";
import { type Contrary, contraryOf } from "./contrary.ts";

/** How long one attempt of --block-attempts stands for. */
const ATTEMPT_MS = 500;

/** How long a unit that seems to have ended is left alone: it may not have begun yet. */
const BEGINNING_MS = 500;

/** Flags of every command that waits. */
export const WAIT_FLAGS: readonly FlagSpec[] = [
  {
    flags: "--block-attempts <n>",
    description: "Wait at most this many half seconds; 0: no limit",
    default: "0",
  },
  { flags: "--no-block", description: "Do not wait until the units have reached their state" },
];

/** The flag of every command that submits units. */
export const STRICT_FLAG: FlagSpec = {
  flags: "--strict",
  description: "Treat warnings about unit files as errors: submit nothing",
};

/** The flag of every command that can replace units that run. */
export const FORCE_FLAG: FlagSpec = {
  flags: "--force",
  description: "With --replace: accept a version that fits no machine, which stops the unit",
};

/** The flag of every command that changes texts of units. */
export const MESSAGE_FLAG: FlagSpec = {
  flags: "-m, --message <text>",
  description: "Reason, kept in the history of the units",
};

/** Reads MESSAGE_FLAG; null: none is given. */
export function readMessage({ message }: Readonly<Record<string, unknown>>): string | null {
  if (message === undefined || message === "") return null;
  const text = String(message);
  if (text.length <= MOST_MESSAGE) return text;
  throw new CommandError(`--message has ${text.length} characters: expected at most ${MOST_MESSAGE}`);
}

/** Reads --replace, --force, STRICT_FLAG and MESSAGE_FLAG. */
export function readSubmit(flags: Readonly<Record<string, unknown>>): SubmitOptions {
  const { replace, strict, force } = flags;
  return { replace: replace === true, strict: strict === true, force: force === true, message: readMessage(flags) };
}

/** How a command goes about waiting. */
export interface WaitOptions {
  readonly block: boolean;
  /** Infinity: without limit. */
  readonly mostMs: number;
}

/** Reads WAIT_FLAGS. */
export function readWaitOptions(flags: Readonly<Record<string, unknown>>): WaitOptions {
  const text = String(flags.blockAttempts ?? "0");
  if (!/^-?\d{1,9}$/.test(text))
    throw new CommandError(`invalid --block-attempts ${JSON.stringify(text)}: expected a whole number`);
  const attempts = Number(text);
  return { block: flags.block !== false, mostMs: attempts > 0 ? attempts * ATTEMPT_MS : Number.POSITIVE_INFINITY };
}

/** What a command wants of units. */
export interface Aim extends Goal {
  /** As --no-block reports it. */
  readonly verb: "load" | "start" | "stop" | "unload";
}

/** What each of the commands wants. */
export const AIMS = {
  load: { verb: "load", state: "loaded", systemd: "any" },
  start: { verb: "start", state: "launched", systemd: "up" },
  stop: { verb: "stop", state: "loaded", systemd: "stopped" },
  unload: { verb: "unload", state: "inactive", systemd: "any" },
} as const satisfies Readonly<Record<string, Aim>>;

/** What a command has come to. */
export interface Brought {
  /** Whether all units got there. */
  readonly isFine: boolean;
  /** Names of the units for which something was done. */
  readonly changed: readonly string[];
}

/**
 * Sets the desired state of units and waits until they are there. What is there already is not told of. Where the
 * desired state is set already and systemd's is contrary to it, systemd is told again.
 *
 * @param sent names of units of which a new version was just put in: they are told of in any case
 */
export async function bringTo(
  context: Context,
  names: readonly string[],
  aim: Aim,
  waiting: WaitOptions,
  sent: ReadonlySet<string> = new Set(),
): Promise<Brought> {
  const client = await context.client();
  const units = await findUnits(client, names);
  const missing = names.find((name) => !units.has(name));
  if (missing !== undefined) throw new CommandError(`Unit ${missing} does not exist.`);
  const { state } = aim;
  const changed = names.filter((name) => units.get(name)?.desiredState !== state);
  for (const name of changed)
    if (aim.verb === "load" && units.get(name)?.desiredState === "launched")
      context.err(`WARNING: Unit ${name} is launched: load stops it.`);
  const found = await contraryUnits(client, [...units.values()], aim);
  const partial = [...found].filter(([, { isPartial }]) => isPartial);
  for (const [name, contrary] of partial) await sayPartial(context, name, contrary, aim);
  const contrary = [...found].flatMap(([name, { isPartial }]) => (isPartial ? [] : [name]));
  await tellAgain(context, contrary, aim, waiting);
  await concurrently([...changed, ...contrary], (name) => client.setUnit(name, { desiredState: state }));
  const acted = new Set([...changed, ...contrary, ...names.filter((name) => sent.has(name))]);
  for (const name of names) {
    const unit = units.get(name);
    if (unit === undefined || !acted.has(name)) continue;
    if (isGlobal(unit)) context.out(`Triggered global unit ${name} ${aim.verb}`);
    else if (!waiting.block) context.out(`Triggered unit ${name} ${aim.verb}`);
  }
  const waited = waiting.block ? names.filter((name) => isWaitedFor(units.get(name), aim)) : [];
  const quiet = new Set(names.filter((name) => !acted.has(name)));
  const isFine = waited.length === 0 || (await waitForUnits(context, { ...aim, names: waited, quiet, ...waiting }));
  return { isFine: isFine && partial.length === 0, changed: [...acted] };
}

/** A global unit has no state of its own to get to: of its copies only what systemd says of them can be waited for. */
function isWaitedFor(unit: UnitInfo | undefined, { systemd }: Aim): boolean {
  return unit !== undefined && (systemd !== "any" || !isGlobal(unit));
}

/**
 * The units that are set to a state and of which systemd says the contrary: those that have failed, ended or been stopped
 * by hand and are to be started, and those that run and are to be stopped. By name.
 */
async function contraryUnits(
  client: ClusterClient,
  units: readonly UnitInfo[],
  aim: Aim,
): Promise<ReadonlyMap<string, Contrary>> {
  const look = async (names: readonly string[]): Promise<ReadonlyMap<string, Contrary>> => {
    if (names.length === 0) return new Map();
    const [now, states] = await Promise.all([findUnits(client, names), findStates(client, names)]);
    const found = names.map((name) => [name, contraryOf(now.get(name), states, aim)] as const);
    return new Map(found.filter((entry): entry is [string, Contrary] => entry[1] !== null));
  };
  if (aim.systemd === "any") return new Map();
  const first = await look(units.filter(({ desiredState }) => desiredState === aim.state).map(({ name }) => name));
  if (first.size === 0) return first;
  await new Promise((resolve) => setTimeout(resolve, BEGINNING_MS));
  return look([...first.keys()]);
}

/** Says of a global unit that some of its copies are not as they should be: to tell systemd again would touch the others. */
async function sayPartial(context: Context, name: string, { machineIDs }: Contrary, { systemd }: Aim): Promise<void> {
  const machines = await machinesByID(await context.client());
  const where = machineIDs.map((id) => machineName(id, machines)).join(", ");
  context.err(
    systemd === "up"
      ? `Error: global unit ${name} is down on ${where}, and up elsewhere: "fleetctl restart ${name}" starts every copy anew.`
      : `Error: global unit ${name} runs on ${where}, and is stopped elsewhere: "fleetctl unload ${name}" stops every copy.`,
  );
}

/** Brings units to the state before the one that they are set to, so that setting it tells systemd again. */
async function tellAgain(context: Context, names: readonly string[], aim: Aim, waiting: WaitOptions): Promise<void> {
  if (names.length === 0) return;
  const client = await context.client();
  const before: DesiredState = aim.state === "launched" ? "loaded" : "launched";
  await concurrently(names, (name) => client.setUnit(name, { desiredState: before }));
  const goal = { names, quiet: new Set(names), state: before, systemd: "any" } as const;
  await waitForUnits(context, { ...goal, mostMs: waiting.mostMs });
}

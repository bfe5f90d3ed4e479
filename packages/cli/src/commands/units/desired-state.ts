import type { DesiredState } from "@fleet/domain/unit";
import { concurrently } from "../../client/concurrently.ts";
import { findUnits } from "../../client/find.ts";
import type { FlagSpec } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import type { SubmitOptions } from "../../submitting/ensure-units.ts";
import { isGlobal } from "../../targets/units.ts";
import { waitForUnits } from "../../waiting/wait-for-units.ts";

/** How long one attempt of --block-attempts stands for. */
const ATTEMPT_MS = 500;

/** Flags of every command that waits. */
export const WAIT_FLAGS: readonly FlagSpec[] = [
  {
    flags: "--block-attempts <n>",
    description: "Wait for at most so many half seconds; 0: without limit",
    default: "0",
  },
  { flags: "--no-block", description: "Do not wait until the units have reached their state" },
];

/** The flag of every command that submits units. */
export const STRICT_FLAG: FlagSpec = {
  flags: "--strict",
  description: "Submit nothing where a unit file has a warning",
};

/** Reads --replace and STRICT_FLAG. */
export function readSubmit(flags: Readonly<Record<string, unknown>>): SubmitOptions {
  return { replace: flags.replace === true, strict: flags.strict === true };
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

/**
 * Sets the desired state of units and waits until they are there. Global units are never waited for: they have no state
 * of their own.
 *
 * @param verb as --no-block reports it
 * @returns whether all units got there
 */
export async function bringTo(
  context: Context,
  names: readonly string[],
  state: DesiredState,
  verb: string,
  waiting: WaitOptions,
): Promise<boolean> {
  const client = await context.client();
  const units = await findUnits(client, names);
  const missing = names.find((name) => !units.has(name));
  if (missing !== undefined) throw new CommandError(`Unit ${missing} does not exist.`);
  await concurrently(names, async (name) => {
    if (units.get(name)?.desiredState !== state) await client.setUnit(name, { desiredState: state });
  });
  const scheduled: string[] = [];
  for (const name of names) {
    const unit = units.get(name);
    if (unit !== undefined && isGlobal(unit)) context.out(`Triggered global unit ${name} ${verb}`);
    else if (!waiting.block) context.out(`Triggered unit ${name} ${verb}`);
    else scheduled.push(name);
  }
  if (scheduled.length === 0) return true;
  const { mostMs } = waiting;
  return waitForUnits(context, { names: scheduled, state, untilActive: state === "launched", mostMs });
}

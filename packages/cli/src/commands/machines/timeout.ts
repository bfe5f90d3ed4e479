import type { FlagSpec } from "../../command.ts";
import { CommandError } from "../../errors.ts";

/** The flag of every command that waits for moves. */
export const TIMEOUT_FLAG: FlagSpec = {
  flags: "--timeout <seconds>",
  description: "Stop waiting after this many seconds; 0: no limit",
  default: "0",
};

/**
 * Reads TIMEOUT_FLAG.
 *
 * @returns milliseconds; Infinity: never
 * @throws CommandError where it is no number of seconds
 */
export function readTimeoutMs({ timeout }: Readonly<Record<string, unknown>>): number {
  const seconds = Number(timeout);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new CommandError(`invalid --timeout ${JSON.stringify(timeout)}: expected seconds`);
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}

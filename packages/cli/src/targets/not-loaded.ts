import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";

/** Says, in the old fleetctl's words, that no machine has a unit; the error says who knows more. */
export function notLoaded(
  context: Pick<Context, "err">,
  name: string,
  why = `no machine has ${name} loaded: "fleetctl explain ${name}" says why`,
): CommandError {
  context.err(`Unit ${name} does not appear to be loaded.`);
  return new CommandError(why);
}

import { findStates } from "../client/find.ts";
import type { Context } from "../context.ts";
import { followUnits } from "./follow.ts";
import { untilSettled } from "./until-settled.ts";

/**
 * Waits until no machine reports units any more: they have stopped there, and their files are gone.
 *
 * @param mostMs Infinity: without limit
 * @returns false where the time was up, which is said
 */
export async function waitUntilGone(context: Context, names: readonly string[], mostMs: number): Promise<boolean> {
  const client = await context.client();
  const waited = new Set(names);
  let left: readonly string[] = [];
  const follower = await followUnits(client, names);
  const isGone = await untilSettled(follower, mostMs, {
    async look() {
      const states = await findStates(client, names);
      left = [...new Set(states.map(({ name }) => name).filter((name) => waited.has(name)))];
      return left.length === 0 ? true : null;
    },
    async onSlow() {
      const more = left.length > 3 ? ` and ${left.length - 3} more` : "";
      context.err(`Still waiting for machines to unload ${left.slice(0, 3).join(", ")}${more}`);
    },
  });
  if (isGone !== null) return true;
  context.err(`Error: timed out waiting for machines to unload ${left.join(", ")}; they go on with it`);
  return false;
}

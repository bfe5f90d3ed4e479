import type { StateInfo } from "../client/cluster-client.ts";
import { findStates, machinesByID } from "../client/find.ts";
import type { Context } from "../context.ts";
import { followUnits } from "./follow.ts";
import { untilSettled } from "./until-settled.ts";
import { stateText } from "./why-not.ts";

/** Why more units than these are still there is not told. */
const MOST_TOLD = 3;

/**
 * Waits until no machine reports units any more: they have stopped there, and their files are gone.
 *
 * @param mostMs Infinity: without limit
 * @returns false where the time was up, which is said
 */
export async function waitUntilGone(context: Context, names: readonly string[], mostMs: number): Promise<boolean> {
  const client = await context.client();
  const waited = new Set(names);
  let left: readonly StateInfo[] = [];
  const leftText = async (): Promise<string> => {
    const machines = await machinesByID(client);
    const told = left.slice(0, MOST_TOLD).map((state) => `${state.name} is ${stateText(state, machines)}`);
    return told.join("; ") + (left.length > MOST_TOLD ? `; and ${left.length - MOST_TOLD} more` : "");
  };
  const follower = await followUnits(client, names);
  const isGone = await untilSettled(follower, mostMs, {
    async look() {
      left = (await findStates(client, names)).filter(({ name }) => waited.has(name));
      return left.length === 0 ? true : null;
    },
    waitingFor: async () => `Still waiting for machines to unload units: ${await leftText()}`,
    say: (line) => context.err(line),
  });
  if (isGone !== null) return true;
  context.err(`Error: timed out waiting for machines to unload units, which continue: ${await leftText()}`);
  return false;
}

import { failureText } from "@fleet/domain/unit";
import type { StateInfo } from "../client/cluster-client.ts";

/** What is wrong with a unit on a machine, as the end of a sentence about it; null: nothing is. */
export function troubleText(state: StateInfo): string | null {
  const failure = failureText(state, state.run);
  if (state.error === null) return failure;
  return failure === null ? state.error : `${failure}: ${state.error}`;
}

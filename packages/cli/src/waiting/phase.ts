import type { StateInfo } from "../client/cluster-client.ts";

/** What systemd says of a unit's run. */
type Run = Pick<StateInfo, "active" | "sub">;

/** Whether a unit runs, by systemd's word. */
export function isUp({ active }: Run): boolean {
  return active === "active" || active === "reloading";
}

/** Whether a unit has come to rest, by systemd's word: by itself or on request, well or not. */
export function hasStopped({ active }: Run): boolean {
  return active === "inactive" || active === "failed";
}

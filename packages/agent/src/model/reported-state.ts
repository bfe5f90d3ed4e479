import type { StateRecord } from "@fleet/domain/cluster";
import type { RunResult, SystemdStates } from "@fleet/domain/unit";
import type { PresentUnit } from "./next-task.ts";

const NOTHING: SystemdStates = { load: "not-found", active: "inactive", sub: "dead" };

/**
 * What a machine says of a unit; null where it has nothing of it.
 *
 * @param unit undefined: it is not on this machine
 * @param failure what went wrong with it last; undefined: nothing
 * @param systemd what systemd says of it; undefined: nothing
 * @param run how its last run ended; null: nothing to tell
 */
export function reportedState(
  unit: PresentUnit | undefined,
  failure: { readonly hash: string; readonly message: string } | undefined,
  systemd: SystemdStates | undefined,
  run: RunResult | null,
): StateRecord | null {
  const error = failure?.message ?? null;
  if (unit === undefined) {
    return failure === undefined ? null : { hash: failure.hash, current: "inactive", systemd: NOTHING, error };
  }
  const current = unit.isLaunched ? "launched" : unit.isUnfinished ? "inactive" : "loaded";
  const state = { hash: unit.hash, current, systemd: systemd ?? NOTHING, error } as const;
  return run === null ? state : { ...state, run };
}

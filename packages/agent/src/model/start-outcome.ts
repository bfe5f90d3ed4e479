import type { SystemdStates } from "@fleet/domain/unit";

/** Why a start came to nothing, by systemd's word for the result of its job. Words that are not here say nothing amiss. */
const REASONS: Readonly<Record<string, string>> = {
  failed: "it refused the unit's job",
  timeout: "the job took longer than it may",
  dependency: "a dependency failed",
  assert: "an Assert…= of the unit does not hold",
  invalid: "the job can't be carried out in the state that the unit is in",
  unsupported: "this machine does not support units of its type",
  collected: "the unit was taken out of memory meanwhile",
  once: "the unit was started once already, which is all it may be",
  frozen: "the unit is frozen",
};

/** What is told of a oneshot that is down where nobody has seen what came of its start: it may have run, or not. */
export const END_NOT_SEEN =
  "its start ended while the agent was away, and whether it ran is not known: look at its journal, and start it again where it did not";

/**
 * What went wrong with a start, as one sentence; null where nothing did, or where the unit's own state says it: a unit
 * that systemd calls failed, or restarts by itself, did start.
 *
 * @param result systemd's word for the result of the start job, such as `done` or `dependency`
 * @param states what systemd says of the unit once the job has ended
 */
export function startTrouble(result: string, states: Pick<SystemdStates, "active">): string | null {
  const reason = REASONS[result];
  if (reason === undefined || states.active !== "inactive") return null;
  return `systemd could not start it: ${reason} (job result ${result}): systemctl status on the machine has more`;
}

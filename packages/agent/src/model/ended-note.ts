import type { EndedRecord, ScheduleRecord, StateRecord } from "@fleet/domain/cluster";

/**
 * What the note that a oneshot has ended well on this machine is to say. A unit that the agent takes down, or that leaves
 * the machine, keeps its note: the engine reads it when it moves the unit, also after the machine has left.
 *
 * @param state what the machine says of the unit; null: it has nothing of it
 * @param entry the unit's entry in the machine's schedule; undefined: there is none, as for a global unit
 * @param isOneshot whether the unit does its work once and ends; asked only where that decides
 * @returns null: there is to be none; undefined: it stays as it is
 */
export function endedNote(
  state: StateRecord | null,
  entry: Pick<ScheduleRecord, "hash" | "desiredState"> | undefined,
  isOneshot: () => boolean,
): EndedRecord | null | undefined {
  if (entry === undefined) return undefined;
  if (entry.desiredState !== "launched") return null;
  if (state?.current !== "launched") return undefined;
  if (state.hash !== entry.hash || state.systemd.active !== "inactive") return null;
  const isWell = state.error === null && (state.run?.result ?? "success") === "success";
  const isAtRest = state.systemd.load === "loaded" && state.systemd.sub === "dead";
  return isWell && isAtRest && isOneshot() ? { hash: state.hash } : undefined;
}

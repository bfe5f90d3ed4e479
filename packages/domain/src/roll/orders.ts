import { isOver, type RollProgress, type RollRecord, UNDER_WAY } from "./records.ts";

/** What a user tells a roll. */
export const ROLL_ORDERS = ["pause", "resume", "undo", "cancel"] as const;
export type RollOrder = (typeof ROLL_ORDERS)[number];

/** Whether a text names one. */
export function isRollOrder(text: string): text is RollOrder {
  return (ROLL_ORDERS as readonly string[]).includes(text);
}

/**
 * How far a roll is once it has been told something.
 *
 * @param by who says so; null: that is not known
 * @returns a text where it can't be done: why, as the end of a sentence about the roll
 */
export function afterOrder(
  roll: Pick<RollRecord, "kind">,
  progress: RollProgress,
  order: RollOrder,
  by: string | null,
): RollProgress | string {
  const { status } = progress;
  const author = by === null ? "" : ` by ${by}`;
  switch (order) {
    case "pause":
      return status === "running" ? { ...progress, status: "paused", why: `paused${author}` } : `is ${status}`;
    case "resume":
      return status === "paused"
        ? { ...progress, status: "running", why: null }
        : `is ${status}: only one that is paused can be resumed`;
    case "cancel":
      if (isOver(progress) || status === "cancelling") return `is ${status} already`;
      return {
        ...progress,
        // What a restart has stopped is started first.
        status: progress.phases.some((phase) => UNDER_WAY.has(phase)) ? "cancelling" : "cancelled",
        why: `cancelled${author}`,
      };
    case "undo":
      if (roll.kind === "restart") return "is a restart: there is no earlier version to go back to";
      if (status === "undoing" || status === "undone") return `is ${status} already`;
      return { ...progress, status: "undoing", why: `undone${author}` };
  }
}

/** On no machine. */
export interface Nowhere {
  readonly kind: "nowhere";
  /** Where it was before a new version of it had to be placed anew, or it was to be moved: tried first; null: none. */
  readonly last: string | null;
  /** The machine that it was taken off another for: tried before `last`; null: none. */
  readonly preferred: string | null;
}

/** Scheduled to one machine. */
export interface Placed {
  readonly kind: "placed";
  readonly on: string;
}

/** Scheduled to one machine, and started on another before it leaves the first: it takes its place on both. */
export interface Moving {
  readonly kind: "moving";
  readonly on: string;
  readonly to: string;
}

/** Taken off a machine that has not let go of it yet: until then it is placed nowhere, for it would run twice. */
export interface Leaving {
  readonly kind: "leaving";
  readonly from: string;
  /** As of a unit that is nowhere: what it will be when it has left. */
  readonly last: string | null;
  readonly preferred: string | null;
}

/** Where a unit is. Machines are given by their IDs. */
export type Whereabouts = Nowhere | Placed | Moving | Leaving;

/** Of a unit that was never anywhere, or is to be nowhere. */
export const NOWHERE: Nowhere = { kind: "nowhere", last: null, preferred: null };

/** The machine that a unit is scheduled to; null: none. */
export function scheduledTo(whereabouts: Whereabouts): string | null {
  return whereabouts.kind === "placed" || whereabouts.kind === "moving" ? whereabouts.on : null;
}

const NONE: readonly string[] = [];

/** The machines that a unit takes its place on: its own, and the one that it is being moved to. */
export function placesOf(whereabouts: Whereabouts): readonly string[] {
  switch (whereabouts.kind) {
    case "placed":
      return [whereabouts.on];
    case "moving":
      return [whereabouts.on, whereabouts.to];
    default:
      return NONE;
  }
}

/** The machine to try first for a unit that is to be placed; null: none. */
export function firstChoice(whereabouts: Whereabouts): string | null {
  return whereabouts.kind === "nowhere" ? (whereabouts.preferred ?? whereabouts.last) : null;
}

/** The machine that a unit without one was last on, as far as that is noted; null: none. */
export function lastOf(whereabouts: Whereabouts): string | null {
  return whereabouts.kind === "nowhere" || whereabouts.kind === "leaving" ? whereabouts.last : null;
}

/** Whether two say the same. */
export function sameWhereabouts(one: Whereabouts, other: Whereabouts): boolean {
  switch (one.kind) {
    case "nowhere":
      return other.kind === "nowhere" && one.last === other.last && one.preferred === other.preferred;
    case "placed":
      return other.kind === "placed" && one.on === other.on;
    case "moving":
      return other.kind === "moving" && one.on === other.on && one.to === other.to;
    case "leaving":
      return (
        other.kind === "leaving" &&
        one.from === other.from &&
        one.last === other.last &&
        one.preferred === other.preferred
      );
  }
}

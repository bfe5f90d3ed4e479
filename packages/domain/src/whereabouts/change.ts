import { NOWHERE, type Whereabouts } from "./whereabouts.ts";

/** What can happen to where a unit is. */
export type WhereaboutsEvent =
  /** The engine gives it to a machine. */
  | { readonly kind: "place"; readonly on: string }
  /** It is to be on no machine: it is not wanted any more, is global, or fits nowhere. */
  | { readonly kind: "unplace" }
  /** A new version asks for something else: it is placed anew, where it was if it fits there. */
  | { readonly kind: "new-version" }
  /** It is started on another machine before it leaves its own. */
  | { readonly kind: "begin-move"; readonly to: string }
  /** It is up on the machine that it was being moved to, and leaves the other. */
  | { readonly kind: "finish-move" }
  /** It stays where it is after all. */
  | { readonly kind: "cancel-move" }
  /** It is taken off its machine, to be placed once that has let go of it. */
  | { readonly kind: "leave"; readonly preferred: string }
  /** Its machine has let go of it. */
  | { readonly kind: "left" };

/** A unit can't do this from where it is: a fault of the caller's. Nothing is written for that unit. */
export class ImpossibleChangeError extends Error {
  constructor(whereabouts: Whereabouts, event: WhereaboutsEvent) {
    super(`a unit that is ${JSON.stringify(whereabouts)} can't ${JSON.stringify(event)}`);
    this.name = "ImpossibleChangeError";
  }
}

/**
 * Where a unit is after something happened: the one place where that changes.
 *
 * @throws ImpossibleChangeError
 */
export function change(whereabouts: Whereabouts, event: WhereaboutsEvent): Whereabouts {
  const next = after(whereabouts, event);
  if (next === null) throw new ImpossibleChangeError(whereabouts, event);
  return next;
}

/** Whether something can happen to a unit where it is. */
export function canChange(whereabouts: Whereabouts, event: WhereaboutsEvent): boolean {
  return after(whereabouts, event) !== null;
}

function after(whereabouts: Whereabouts, event: WhereaboutsEvent): Whereabouts | null {
  if (event.kind === "unplace") return NOWHERE;
  switch (whereabouts.kind) {
    case "nowhere":
      if (event.kind === "place") return { kind: "placed", on: event.on };
      return event.kind === "new-version" ? NOWHERE : null;
    case "placed":
    case "moving":
      return afterScheduled(whereabouts, event);
    case "leaving":
      if (event.kind === "left") return { kind: "nowhere", last: whereabouts.last, preferred: whereabouts.preferred };
      // The old version has still to leave its machine before the new one may be anywhere.
      return event.kind === "new-version" ? { ...whereabouts, last: null, preferred: null } : null;
  }
}

function afterScheduled(
  whereabouts: Extract<Whereabouts, { kind: "placed" | "moving" }>,
  event: Exclude<WhereaboutsEvent, { kind: "unplace" }>,
): Whereabouts | null {
  const { on } = whereabouts;
  switch (event.kind) {
    case "place":
      return { kind: "placed", on: event.on };
    case "new-version":
      return { kind: "nowhere", last: on, preferred: null };
    case "begin-move":
      return event.to === on ? null : { kind: "moving", on, to: event.to };
    case "finish-move":
      return whereabouts.kind === "moving" ? { kind: "placed", on: whereabouts.to } : null;
    case "cancel-move":
      return whereabouts.kind === "moving" ? { kind: "placed", on } : null;
    case "leave":
      return { kind: "leaving", from: on, last: on, preferred: event.preferred };
    case "left":
      return null;
  }
}

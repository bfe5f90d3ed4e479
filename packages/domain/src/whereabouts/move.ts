import type { StateRecord, UnitRecord } from "../cluster/records.ts";
import { conditionOf } from "../unit/states.ts";
import type { WhereaboutsEvent } from "./change.ts";
import { scheduledTo } from "./whereabouts.ts";

/** How long each part of a move may take, in milliseconds. */
export const MOVE_LIMITS = {
  /** For a unit to stop on the machine that it leaves: after that it is placed anew all the same. */
  stop: 300_000,
  /** For a unit to be up on its new machine: after that it stays on its old one. */
  start: 90_000,
  /** For the plan to place a unit that has left its machine: one that fits nowhere waits longer, and holds up no other move. */
  place: 3_000,
  /** An engine that may not act for so long leaves its moves to the one that leads by then. */
  deposed: 5_000,
  /** A unit that could not be moved is left alone for so long. */
  rest: 60_000,
  /** The same where only etcd could not be reached. */
  retry: 6_000,
} as const;

/** How far a move is. Times are the engine's, revisions those of etcd at which the part began. */
export type MovePhase =
  /** Nothing is written yet; or the record says what an earlier engine wrote. */
  | { readonly kind: "begin" }
  /** It is started on its new machine, and runs on the old one until it is up there. */
  | { readonly kind: "starting"; readonly to: string; readonly since: number; readonly revision: number }
  /** It is taken off its machine, which has not let go of it yet. */
  | { readonly kind: "stopping"; readonly since: number; readonly revision: number }
  /** It has left: the plan places it. */
  | { readonly kind: "placing"; readonly since: number; readonly revision: number }
  /** It is placed: the next unit waits until it is up. */
  | { readonly kind: "settling"; readonly on: string; readonly since: number; readonly revision: number }
  /** Its last write is made, and not yet in the engine's own view. `giveUp`: why it did not come to what was asked for. */
  | { readonly kind: "ending"; readonly giveUp: string | null; readonly since: number; readonly revision: number };

/** A unit that is being moved away from a machine. */
export interface Move {
  readonly unit: string;
  readonly from: string;
  /** Where it is best to go; null: wherever it fits. */
  readonly preferred: string | null;
  readonly reason: string;
  readonly phase: MovePhase;
}

/** What a move is decided on. */
export interface MoveView {
  /** The unit's record, as the engine sees it; null: there is no such unit. */
  readonly record: (UnitRecord & { readonly modRevision: number }) | null;
  /** Whether two copies of the unit may run for a moment, and there is something to run. */
  readonly mayOverlap: boolean;
  /** What a machine says of the unit; null: nothing, it does not have it; undefined: that is not known yet. */
  stateOn(machineID: string): StateRecord | null | undefined;
  /** Where the unit would go if it had to leave its machine, the preferred one if it fits; null: nowhere. */
  target(preferred: string | null): string | null;
}

/** What is to be done about a move now. */
export type MoveStep =
  /** Nothing, until what it is decided on has changed, or its time is up. */
  | { readonly kind: "wait"; readonly phase: MovePhase }
  /** Write what happens to the unit, if it still is as it was; the move goes on from `next` at the revision of that. */
  | {
      readonly kind: "write";
      readonly event: WhereaboutsEvent;
      /** Why, for the record; null: as it stands there. */
      readonly cause: string | null;
      /** The machine that must be there for it; null: none. */
      readonly machine: string | null;
      readonly next: Exclude<MovePhase, { kind: "begin" }>;
      /** What its users should know of it; null: nothing. */
      readonly warning: string | null;
    }
  /** It is over, one way or the other: whoever waits for it waits no longer. */
  | { readonly kind: "end" }
  /** It can't be done now: the unit is left alone for a while. */
  | { readonly kind: "give-up"; readonly why: string }
  /** Somebody else has changed the unit: it is looked at anew. */
  | { readonly kind: "drop" };

type View = MoveView & { readonly record: NonNullable<MoveView["record"]> };

/** The next step of a move. A total function: each move ends, within the limits of its parts, once the engine's view is up to date. */
export function stepMove(move: Move, view: MoveView, now: number): MoveStep {
  const { phase } = move;
  const { record } = view;
  if (record === null) return phase.kind === "begin" ? { kind: "drop" } : { kind: "end" };
  // By an outdated record the move would begin once more, and the plan would give away the place that the unit takes on
  // its new machine. A view that stays behind is listed anew in the end.
  if (phase.kind !== "begin" && record.modRevision < phase.revision) return { kind: "wait", phase };
  const seen: View = {
    record,
    mayOverlap: view.mayOverlap,
    stateOn: (id) => view.stateOn(id),
    target: (preferred) => view.target(preferred),
  };
  switch (phase.kind) {
    case "begin":
      return begin(move, seen, now);
    case "starting":
      return start(move, phase, seen, now);
    case "stopping":
      return stop(move, phase, seen, now);
    case "placing":
      return place(phase, seen, now);
    case "settling":
      return settle(phase, seen, now);
    case "ending":
      return phase.giveUp === null ? { kind: "end" } : { kind: "give-up", why: phase.giveUp };
  }
}

/** Whether the plan is to leave a unit alone that is being moved. */
export function isHeld({ phase }: Move): boolean {
  return phase.kind !== "placing" && phase.kind !== "settling";
}

function begin(move: Move, view: View, now: number): MoveStep {
  const { record } = view;
  const { whereabouts, modRevision: revision } = record;
  if (whereabouts.kind === "leaving") return { kind: "wait", phase: { kind: "stopping", since: now, revision } };
  if (scheduledTo(whereabouts) !== move.from || record.desiredState === "inactive") return { kind: "drop" };
  const to = view.target(move.preferred);
  if (to === null) {
    const why = "it fits on no other machine";
    return whereabouts.kind === "moving" ? cancel(why, now) : { kind: "give-up", why };
  }
  if (!view.mayOverlap) {
    const next = { kind: "stopping", since: now, revision } as const;
    return write({ event: { kind: "leave", preferred: to }, cause: move.reason, machine: null, next });
  }
  const next: Extract<MovePhase, { kind: "starting" }> = { kind: "starting", to, since: now, revision };
  if (whereabouts.kind === "moving" && whereabouts.to === to) return { kind: "wait", phase: next };
  return write({ event: { kind: "begin-move", to }, cause: null, machine: to, next });
}

function start(move: Move, phase: Extract<MovePhase, { kind: "starting" }>, view: View, now: number): MoveStep {
  const { to } = phase;
  const { whereabouts, desiredState, modRevision: revision } = view.record;
  if (whereabouts.kind !== "moving" || whereabouts.on !== move.from || whereabouts.to !== to) return { kind: "drop" };
  if (desiredState !== "launched") return { kind: "wait", phase: { kind: "begin" } };
  switch (outcomeOf(view.stateOn(to), view.record)) {
    case "up":
      if (view.target(to) !== to) return cancel(`machine ${to} does not fit it any more`, now);
      return write({
        ...{ event: { kind: "finish-move" }, cause: move.reason, machine: to },
        next: { kind: "ending", giveUp: null, since: now, revision },
      });
    case "failed":
      return cancel(`it did not become active on machine ${to}`, now);
    case "unknown":
      if (now - phase.since > MOVE_LIMITS.start) return cancel(`it did not become active on machine ${to}`, now);
      return { kind: "wait", phase };
  }
}

function stop(move: Move, phase: Extract<MovePhase, { kind: "stopping" }>, view: View, now: number): MoveStep {
  const { whereabouts } = view.record;
  // Its user has stopped it since, say: nothing is left to wait for.
  if (whereabouts.kind !== "leaving" || whereabouts.from !== move.from) return { kind: "end" };
  const hasLeft = view.stateOn(whereabouts.from) === null;
  const isLate = now - phase.since > MOVE_LIMITS.stop;
  if (!hasLeft && !isLate) return { kind: "wait", phase };
  const warning = hasLeft ? null : `it has not stopped within ${MOVE_LIMITS.stop / 1000} s: it is placed anew`;
  const next = { kind: "placing", since: now, revision: view.record.modRevision } as const;
  return { ...write({ event: { kind: "left" }, cause: null, machine: null, next }), warning };
}

function place(phase: Extract<MovePhase, { kind: "placing" }>, view: View, now: number): MoveStep {
  const { record } = view;
  const on = scheduledTo(record.whereabouts);
  if (on !== null) {
    if (record.desiredState !== "launched") return { kind: "end" };
    return { kind: "wait", phase: { kind: "settling", on, since: now, revision: record.modRevision } };
  }
  return now - phase.since > MOVE_LIMITS.place ? { kind: "end" } : { kind: "wait", phase };
}

function settle(phase: Extract<MovePhase, { kind: "settling" }>, view: View, now: number): MoveStep {
  const { whereabouts, desiredState } = view.record;
  const isOver =
    scheduledTo(whereabouts) !== phase.on ||
    desiredState !== "launched" ||
    outcomeOf(view.stateOn(phase.on), view.record) !== "unknown" ||
    now - phase.since > MOVE_LIMITS.start;
  return isOver ? { kind: "end" } : { kind: "wait", phase };
}

/** What became of a unit that was given to a machine, by what that says of the version it was given. */
function outcomeOf(state: StateRecord | null | undefined, { hash, ended }: UnitRecord): "up" | "failed" | "unknown" {
  if (state == null || state.hash !== hash) return "unknown";
  if (state.error !== null) return "failed";
  // A oneshot that has ended is loaded there, and that is all.
  if (ended === true && state.current === "loaded") return "up";
  if (state.current !== "launched") return "unknown";
  switch (conditionOf(state.systemd)) {
    case "up":
    case "at-rest": // It has run, and ended well.
      return "up";
    case "failed":
      return "failed";
    default:
      return "unknown";
  }
}

/** Its record is at the revision of this write, once that is made: 0 stands for it until then. */
function cancel(giveUp: string, now: number): MoveStep {
  const next: Write["next"] = { kind: "ending", giveUp, since: now, revision: 0 };
  return write({ event: { kind: "cancel-move" }, cause: null, machine: null, next });
}

type Write = Extract<MoveStep, { kind: "write" }>;

function write(change: Omit<Write, "kind" | "warning">): Write {
  return { kind: "write", ...change, warning: null };
}

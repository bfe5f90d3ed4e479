import type { StateRecord, UnitRecord } from "../cluster/records.ts";
import { failureText } from "../unit/run-result.ts";
import { conditionOf } from "../unit/states.ts";
import { scheduledTo } from "../whereabouts/whereabouts.ts";
import type { RollRecord, RollUnit, TextRef, UnitPhase } from "./records.ts";

/** Times of a roll, in milliseconds. */
export const ROLL_LIMITS = {
  /** For a unit that is to be placed to be given to a machine: after that it fits nowhere. */
  place: 10_000,
  /** For a view to show what was written; after that somebody has put it back. */
  seen: 10_000,
  /** For a machine to act on what was written: what it says of a version that a unit has again may be of before. */
  act: 2_000,
  /** For a unit that was started to be more than at rest: after that it has ended. */
  rest: 5_000,
} as const;

/** What a roll is decided on. */
export interface RollView {
  /** A unit's record; null: there is no such unit; undefined: it can't be read. */
  record(name: string): UnitRecord | null | undefined;
  /** What a machine says of a unit; null: nothing; undefined: that is not known. */
  state(name: string, machineID: string): StateRecord | null | undefined;
}

/** What is known of a unit that a roll has under way, for as long as one engine leads. */
export interface Watched {
  readonly phase: UnitPhase;
  /** Since when it has that phase. */
  readonly since: number;
  /** Since when it is on no machine and its machine has let go of it; null: it is on one. */
  readonly nowhereSince: number | null;
  /** Since when it is up; null: it is not. */
  readonly upSince: number | null;
  /** Since when it is at rest, though it was started; null: it is not. */
  readonly restSince: number | null;
  /** How often systemd had restarted it when it came up first; null: it has not come up yet. */
  readonly restarts: number | null;
}

/** What a look at one unit says. */
export type Look =
  | { readonly kind: "wait" }
  | { readonly kind: "stopped" }
  | { readonly kind: "up" }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "left"; readonly why: string };

/** What a unit that a roll has under way is wanted to be. */
const DESIRED: Readonly<Partial<Record<UnitPhase, UnitRecord["desiredState"]>>> = {
  ...{ stopping: "loaded", starting: "launched", returning: "launched" },
};

/** What a look at a unit that is under way says, and what is to be remembered for the next one. */
export function lookAt(
  roll: RollRecord,
  unit: RollUnit,
  phase: UnitPhase,
  known: Watched | undefined,
  view: RollView,
  now: number,
): { readonly look: Look; readonly watched: Watched } {
  const fresh: Watched = { phase, since: now, nowhereSince: null, upSince: null, restSince: null, restarts: null };
  const watched = known?.phase === phase ? known : fresh;
  const waits = { look: { kind: "wait" }, watched } as const;
  const record = view.record(unit.name);
  if (record === undefined) return waits;
  const [wanted, other] = phase === "returning" ? [unit.from, unit.to] : [unit.to, unit.from];
  // A restart stops it for a while: that it is loaded may be the roll's own doing.
  const mayBeLoaded = roll.kind === "restart" && phase !== "returning";
  const strange = changedByOthers(record, [wanted, other], mayBeLoaded ? ["launched", "loaded"] : ["launched"]);
  if (record === null || strange !== null)
    return { look: { kind: "left", why: strange ?? "was destroyed by somebody else" }, watched };
  if (record.hash !== wanted.hash || record.desiredState !== DESIRED[phase]) {
    // The view may be behind what was written.
    const isLate = now - watched.since > ROLL_LIMITS.seen;
    return isLate ? { look: { kind: "left", why: "was put back by somebody else" }, watched } : waits;
  }
  const machineID = scheduledTo(record.whereabouts);
  if (machineID === null) return unplaced(record, phase, watched, now);
  const state = view.state(unit.name, machineID);
  if (phase === "stopping")
    return state != null && hasStopped(state, record) ? { look: { kind: "stopped" }, watched } : waits;
  const settleMs = phase === "returning" ? Math.max(roll.settleMs, ROLL_LIMITS.act) : roll.settleMs;
  return placed(state ?? null, record, { ...watched, nowhereSince: null }, settleMs, now);
}

function unplaced(record: UnitRecord, phase: UnitPhase, known: Watched, now: number): ReturnType<typeof lookAt> {
  // Its old machine has to let go of it first, and that takes as long as its stop.
  const isLeaving = record.whereabouts.kind === "leaving";
  const nowhereSince = isLeaving ? null : (known.nowhereSince ?? now);
  const watched = { ...known, nowhereSince, upSince: null };
  if (phase === "stopping") return { look: { kind: isLeaving ? "wait" : "stopped" }, watched };
  const isLate = nowhereSince !== null && now - nowhereSince > ROLL_LIMITS.place;
  return { look: isLate ? { kind: "failed", why: "fits nowhere" } : { kind: "wait" }, watched };
}

function placed(
  state: StateRecord | null,
  record: UnitRecord,
  known: Watched,
  settleMs: number,
  now: number,
): ReturnType<typeof lookAt> {
  const failed = (why: string) => ({ look: { kind: "failed", why } as const, watched: known });
  if (state === null || state.hash !== record.hash)
    return { look: { kind: "wait" }, watched: { ...known, upSince: null, restSince: null } };
  const failure = failureOf(state);
  if (failure !== null) return failed(failure);
  const restarts = state.run?.restarts ?? 0;
  if (known.restarts !== null && restarts > known.restarts)
    return failed("was restarted by systemd within the settle time");
  if (isUp(state, record)) {
    const upSince = known.upSince ?? now;
    const look: Look = { kind: now - upSince >= settleMs ? "up" : "wait" };
    return { look, watched: { ...known, upSince, restSince: null, restarts: known.restarts ?? restarts } };
  }
  // It may not have begun yet.
  const isAtRest = state.current === "launched" && conditionOf(state.systemd) === "at-rest";
  const restSince = isAtRest ? (known.restSince ?? now) : null;
  if (restSince !== null && now - restSince > ROLL_LIMITS.rest)
    return failed("has ended: only units that stay active can be rolled");
  return { look: { kind: "wait" }, watched: { ...known, upSince: null, restSince } };
}

/**
 * Why a unit is the roll's no more; null: it is.
 *
 * @param record null: there is no such unit
 * @param texts one of which it has as long as only the roll changes it
 * @param states one of which it is set to as long as that is so
 */
export function changedByOthers(
  record: UnitRecord | null,
  texts: readonly Pick<TextRef, "hash">[],
  states: readonly UnitRecord["desiredState"][] = ["launched"],
): string | null {
  if (record === null) return "was destroyed by somebody else";
  if (!texts.some(({ hash }) => hash === record.hash)) return "was given another version by somebody else";
  if (states.includes(record.desiredState)) return null;
  return `was set ${record.desiredState} by somebody else`;
}

/** Whether a unit does what it is there for; one that nobody wants to run is missed by nobody. Undefined: that is not known. */
export function isUpIn(view: RollView, name: string): boolean | undefined {
  const record = view.record(name);
  if (record == null) return record === null ? true : undefined;
  if (record.desiredState !== "launched") return true;
  const machineID = scheduledTo(record.whereabouts);
  const state = machineID === null ? null : view.state(name, machineID);
  return state == null ? (state === null ? false : undefined) : isUp(state, record);
}

function isUp(state: StateRecord, { hash, ended }: UnitRecord): boolean {
  if (state.hash !== hash || state.error !== null) return false;
  // Nobody misses a oneshot that has done its work.
  if (ended === true && state.current === "loaded") return true;
  return state.current === "launched" && conditionOf(state.systemd) === "up";
}

/** Whether systemd has stopped a unit that was told to. */
function hasStopped({ hash, current, systemd }: StateRecord, record: UnitRecord): boolean {
  const condition = conditionOf(systemd);
  return hash === record.hash && current !== "launched" && (condition === "at-rest" || condition === "failed");
}

/** Why systemd, or the agent, has given a unit up, or restarts it; null: neither does. */
function failureOf({ error, systemd, run, current }: StateRecord): string | null {
  if (error !== null) return error;
  if (current !== "launched") return null;
  const isRetrying = conditionOf(systemd) === "retrying";
  return failureText(systemd, run ?? null) ?? (isRetrying ? "failed, and systemd starts it again" : null);
}

import { type Json, object, part, string } from "../cluster/json-members.ts";

/** A text of a unit: the hash of its file, and that of the text as its user wrote it, which is the file's where it is the same. */
export interface TextRef {
  readonly hash: string;
  readonly source: string;
}

/** A unit of a roll. */
export interface RollUnit {
  readonly name: string;
  /** What it had as the roll was made; in a restart it is what it goes on to have. */
  readonly from: TextRef;
  readonly to: TextRef;
}

/** `rolls/<id>`: what a roll is to do. It never changes. */
export interface RollRecord {
  /** A new version for each of its units, or a restart of each. */
  readonly kind: "replace" | "restart";
  /** In the order in which they are taken. */
  readonly units: readonly RollUnit[];
  /** How many of its units may be down at a time, those among them that are down by themselves. At least 1. */
  readonly maxUnavailable: number;
  /** Between the end of one unit and the next, in milliseconds. */
  readonly pauseMs: number;
  /** How long a unit has to be up before it counts as done, in milliseconds. */
  readonly settleMs: number;
  /** It pauses when so many units are done; null: it does not. */
  readonly canary: number | null;
  readonly onFailure: "stop" | "undo";
  /** Who asked for it, as the server knows them; null: that is not known. */
  readonly by: string | null;
  /** Why; null: they did not say. */
  readonly message: string | null;
  /** ISO 8601. */
  readonly at: string;
}

/** How far a unit of a roll is. */
export type UnitPhase =
  /** Nothing was done to it yet. */
  | "waiting"
  /** A restart has stopped it. */
  | "stopping"
  /** It was given its new version, or started again, and is not up for long enough. */
  | "starting"
  | "done"
  /** It did not come up, or did not stay up. */
  | "failed"
  /** Somebody else has changed it: the roll leaves it alone from then on. */
  | "left"
  /** It was given its old version back, and is not up for long enough. */
  | "returning"
  /** It has its old version again, and is up. */
  | "returned"
  /** It could not be given its old version back, or did not come up with it. */
  | "stuck";

/** How far a roll is. */
export type RollStatus =
  | "running"
  /** Nothing more is begun until it is resumed. */
  | "paused"
  /** Its units are given their old versions back. */
  | "undoing"
  | "done"
  /** A unit has failed, and the others stay as they are. */
  | "failed"
  | "undone"
  /** Nothing more is begun, and it is over when the units under way are. */
  | "cancelling"
  | "cancelled";

/** `roll-progress/<id>`: how far a roll is; in the transaction of each of its steps. */
export interface RollProgress {
  readonly status: RollStatus;
  /** Why it has that status; null: nothing to say. */
  readonly why: string | null;
  /** Of each unit, in the order of the roll's units. */
  readonly phases: readonly UnitPhase[];
  /** Why units have failed or were left, by name. */
  readonly reasons: Readonly<Record<string, string>>;
  /** It has paused for its canaries, and was resumed: it does not pause for them again. */
  readonly isPastCanary: boolean;
}

/** Phases of units that a roll has in its hands. */
export const UNDER_WAY: ReadonlySet<UnitPhase> = new Set<UnitPhase>(["stopping", "starting", "returning"]);

/** How many units a roll may have. */
export const MOST_ROLL_UNITS = 1_000;

const PHASES: Readonly<Record<UnitPhase, string>> = {
  ...{ waiting: "w", stopping: "o", starting: "s", done: "d" },
  ...{ failed: "f", left: "l", returning: "r", returned: "b", stuck: "k" },
};
const PHASE_OF: ReadonlyMap<string, UnitPhase> = new Map(
  Object.entries(PHASES).map(([phase, letter]) => [letter, phase as UnitPhase]),
);
const STATUSES: ReadonlySet<string> = new Set([
  ...["running", "paused", "undoing", "done", "failed", "undone", "cancelling", "cancelled"],
]);

const ENDED: ReadonlySet<RollStatus> = new Set<RollStatus>(["done", "failed", "undone", "cancelled"]);

/** Whether a roll does nothing more by itself. */
export function isOver({ status }: Pick<RollProgress, "status">): boolean {
  return ENDED.has(status);
}

/** How far a roll is that has just been made. */
export function begun(roll: RollRecord): RollProgress {
  return { status: "running", why: null, phases: roll.units.map(() => "waiting"), reasons: {}, isPastCanary: false };
}

export function encodeRoll(roll: RollRecord): string {
  return JSON.stringify({
    ...roll,
    units: roll.units.map(({ name, from, to }) => [name, from.hash, from.source, to.hash, to.source]),
  });
}

/** Null: it is none that this version understands. */
export function decodeRoll(text: string): RollRecord | null {
  const value = object(text);
  if (value === null || !Array.isArray(value.units)) return null;
  const { kind, maxUnavailable, pauseMs, settleMs, canary, onFailure, at } = value;
  const units = value.units.map(unitOf).filter((unit) => unit !== null);
  if (kind !== "replace" && kind !== "restart") return null;
  if (onFailure !== "stop" && onFailure !== "undo") return null;
  if (!isCount(maxUnavailable) || !isTime(pauseMs) || !isTime(settleMs) || typeof at !== "string") return null;
  if (canary !== null && !isCount(canary)) return null;
  if (units.length !== value.units.length) return null;
  return {
    ...{ kind, units, maxUnavailable, pauseMs, settleMs, canary, onFailure },
    ...{ by: string(value.by), message: string(value.message), at },
  };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;
const isTime = (value: unknown): value is number => typeof value === "number" && value >= 0;

function unitOf(members: unknown): RollUnit | null {
  if (!Array.isArray(members)) return null;
  const name = part(members[0]);
  const [from, to] = [textOf(members[1], members[2]), textOf(members[3], members[4])];
  return name === null || from === null || to === null ? null : { name, from, to };
}

function textOf(hashMember: unknown, sourceMember: unknown): TextRef | null {
  const [hash, source] = [part(hashMember), part(sourceMember)];
  return hash === null || source === null ? null : { hash, source };
}

export function encodeRollProgress({ status, why, phases, reasons, isPastCanary }: RollProgress): string {
  return JSON.stringify({
    status,
    why: why ?? undefined,
    phases: phases.map((phase) => PHASES[phase]).join(""),
    reasons: Object.keys(reasons).length === 0 ? undefined : reasons,
    isPastCanary: isPastCanary || undefined,
  });
}

/** Null: it is none that this version understands. */
export function decodeRollProgress(text: string): RollProgress | null {
  const value = object(text);
  const status = string(value?.status);
  const letters = string(value?.phases);
  if (value === null || status === null || letters === null || !STATUSES.has(status)) return null;
  const phases = [...letters].map((letter) => PHASE_OF.get(letter)).filter((phase) => phase !== undefined);
  if (phases.length !== letters.length) return null;
  return {
    status: status as RollStatus,
    why: string(value.why),
    phases,
    reasons: reasonsOf(value.reasons),
    isPastCanary: value.isPastCanary === true,
  };
}

function reasonsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null) return {};
  const entries = Object.entries(value as Json).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return Object.fromEntries(entries);
}

/** `roll-count/last`: the number of the last roll. Null: it is none that this version understands. */
export const decodeRollCount = (text: string): { readonly count: number } | null =>
  /^[0-9]{1,9}$/.test(text) ? { count: Number(text) } : null;

/** What a user wants of a unit: known only, in systemd but not started, or started. */
export type DesiredState = "inactive" | "loaded" | "launched";

/** What fleet has done with a unit: the same words; systemd's own states are reported beside it. */
export type CurrentState = DesiredState;

const DESIRED: ReadonlySet<string> = new Set(["inactive", "loaded", "launched"]);

/** Whether a text names a desired state. */
export function isDesiredState(text: unknown): text is DesiredState {
  return typeof text === "string" && DESIRED.has(text);
}

/** What systemd says of a unit, in its own words, untouched. */
export interface SystemdStates {
  /** `loaded`, `not-found`, `bad-setting`, `error`, `masked`, … */
  readonly load: string;
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`. */
  readonly active: string;
  /** Depends on the unit's type: `running`, `exited`, `dead`, `listening`, … */
  readonly sub: string;
}

/** systemd's active states in which nothing of a unit runs. */
export const AT_REST: ReadonlySet<string> = new Set(["inactive", "failed"]);

/** How a unit does on its machine, by systemd's word. */
export type Condition =
  /** It does what it is there for. */
  | "up"
  /** It starts or stops. */
  | "changing"
  /** It has failed, and systemd is about to start it again. */
  | "retrying"
  | "failed"
  /** It was not started, was stopped, or has ended well. */
  | "at-rest";

/** The one judgement of what systemd says of a unit. A word that this version does not know counts as changing. */
export function conditionOf({ active, sub }: Pick<SystemdStates, "active" | "sub">): Condition {
  if (sub.startsWith("auto-restart")) return "retrying";
  switch (active) {
    case "active":
    case "reloading":
    case "refreshing":
      return "up";
    case "failed":
      return "failed";
    case "inactive":
      return "at-rest";
    default:
      return "changing";
  }
}

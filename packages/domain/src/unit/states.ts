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

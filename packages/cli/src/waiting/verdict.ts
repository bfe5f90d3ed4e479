import { conditionOf, type DesiredState, failureText, hashUnitFile } from "@fleet/domain/unit";
import type { StateInfo, UnitInfo } from "../client/cluster-client.ts";

/** Where a unit is to get to. */
export interface Goal {
  readonly state: DesiredState;
  /** What systemd is to say then: that the unit is up, that nothing of it runs, or anything. */
  readonly systemd: "up" | "stopped" | "any";
}

/** The end of a wait for a unit. */
export type Outcome =
  | { readonly kind: "there" }
  /** `why` is the end of a sentence about the unit. */
  | { readonly kind: "in-trouble"; readonly why: string };

/** What a look at a unit on its way comes to. */
export type Verdict =
  | Outcome
  | { readonly kind: "on-its-way" }
  /** It may pass: only if it stays is it the end. */
  | { readonly kind: "settling"; readonly sign: Sign; readonly becomes: Outcome };

/** What may pass, and for how long in milliseconds it has to stay until it counts. */
export const SETTLE_MS = {
  /** Launched, and nothing of it runs: it has not begun yet, or it has run and ended, as a oneshot service does. */
  "at-rest": 1_500,
  /** The same of a copy whose agent does not say whether it has been told to start. */
  "at-rest-untold": 5_000,
  /** systemd said so before its next start, maybe. */
  failed: 300,
  /** systemd waits for the next try. */
  retrying: 3_000,
  /** Its agent could not do what was wanted, and tries again. */
  error: 2_000,
  /** It runs though it is to be stopped. */
  running: 3_000,
} as const;

/** What may pass. */
export type Sign = keyof typeof SETTLE_MS;

/** Signs that the steps in between, as the next try of a unit that fails, do not take back. */
export const LASTING: ReadonlySet<Sign> = new Set<Sign>(["at-rest", "at-rest-untold", "retrying"]);

const THERE: Outcome = { kind: "there" };
const ON_ITS_WAY: Verdict = { kind: "on-its-way" };

/**
 * Whether a unit, or one copy of a global unit, is where it should be, on its way, or in trouble.
 *
 * @param unit absent: it is not in the cluster any more
 * @param state what its machine says of it; absent: nothing yet
 */
export function judge(unit: UnitInfo | undefined, state: StateInfo | undefined, goal: Goal): Verdict {
  if (unit === undefined) return inTrouble("was destroyed meanwhile");
  // A machine may still report the version that was there before.
  const own = state?.hash === hashUnitFile(unit.options) ? state : undefined;
  const current = unit.currentState ?? own?.current ?? null;
  if (own?.error != null) return judgeError(own, current, own.error, goal);
  if (isNowhere(unit, state, goal)) return THERE;
  if (unit.hasEnded && goal.systemd === "up" && current === "loaded") return THERE;
  if (current !== goal.state && !isUntold(unit, own)) return ON_ITS_WAY;
  if (goal.systemd === "any") return THERE;
  if (own === undefined) return ON_ITS_WAY;
  return goal.systemd === "up" ? judgeStart(own) : judgeStop(own);
}

/** Nothing of a unit that is on no machine has to stop. */
function isNowhere(unit: UnitInfo, state: StateInfo | undefined, { systemd }: Goal): boolean {
  const isScheduled = unit.currentState !== null;
  return systemd === "stopped" && isScheduled && unit.machineID === null && state === undefined;
}

/** Whether nobody says how far a copy of a global unit is: its API is too old to. */
function isUntold({ currentState }: UnitInfo, own: StateInfo | undefined): boolean {
  return currentState === null && own !== undefined && own.current === null;
}

function judgeError(own: StateInfo, current: DesiredState | null, error: string, { state }: Goal): Verdict {
  const failure = current === state ? failureText(own, own.run) : null;
  const why = failure === null ? `could not be ${state}: ${error}` : `${failure}: ${error}`;
  return settling(failure === null ? "error" : "failed", inTrouble(why));
}

/** What systemd's word on a unit that is launched comes to. */
function judgeStart(state: StateInfo): Verdict {
  const { load } = state;
  const condition = conditionOf(state);
  if (condition === "up") return THERE;
  const failure = failureText(state, state.run);
  if (condition === "failed") return settling("failed", inTrouble(withHint(state, failure ?? "failed")));
  if (load !== "" && load !== "loaded") return inTrouble(`can't run: its load state is ${load}`);
  if (condition === "retrying" && failure !== null) return inTrouble(withHint(state, failure));
  if (condition === "retrying" || failure !== null)
    return settling("retrying", inTrouble(withHint(state, failure ?? "keeps failing")));
  if (condition !== "at-rest") return ON_ITS_WAY;
  return settling(state.current === null ? "at-rest-untold" : "at-rest", THERE);
}

function judgeStop(state: StateInfo): Verdict {
  const condition = conditionOf(state);
  if (condition === "at-rest" || condition === "failed") return THERE;
  if (condition !== "up") return ON_ITS_WAY;
  return settling("running", inTrouble(`is still running: something else starts it (${state.active}, ${state.sub})`));
}

function withHint({ name }: StateInfo, failure: string): string {
  return `${failure}: see "fleetctl status ${name}" and "fleetctl journal ${name}"`;
}

function inTrouble(why: string): Outcome {
  return { kind: "in-trouble", why };
}

function settling(sign: Sign, becomes: Outcome): Verdict {
  return { kind: "settling", sign, becomes };
}

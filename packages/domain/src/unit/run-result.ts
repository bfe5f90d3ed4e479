import { conditionOf, type SystemdStates } from "./states.ts";

/** How the last run of a unit ended, in systemd's words. */
export interface RunResult {
  /** systemd's `Result`: `success`, `exit-code`, `signal`, `timeout`, `start-limit-hit`, … */
  readonly result: string;
  /** What the main process exited with; null: it did not exit by itself, or the unit has none. */
  readonly exitStatus: number | null;
  /** The signal that ended the main process, as in `SIGKILL`; null: none did. */
  readonly exitSignal: string | null;
  /** How often systemd has restarted the unit by itself since it was last started. */
  readonly restarts: number;
}

/** From so many restarts on a unit that waits for the next one is in a crash loop: a single one may be planned. */
const LOOP_RESTARTS = 2;

/**
 * How a unit fails, as the end of a sentence about it; null where it does not.
 *
 * @param run null: nothing but the states is known, as from an older agent
 */
export function failureText(systemd: Pick<SystemdStates, "active" | "sub">, run: RunResult | null): string | null {
  const condition = conditionOf(systemd);
  const restarts = run?.restarts ?? 0;
  if (condition === "failed") return `failed${reason(run)}${restarts === 0 ? "" : `, after ${count(restarts)}`}`;
  const isLoop = restarts >= LOOP_RESTARTS && (condition === "retrying" || condition === "changing");
  return isLoop ? `keeps failing${reason(run)}, after ${count(restarts)}` : null;
}

function reason(run: RunResult | null): string {
  if (run === null || run.result === "" || run.result === "success") return "";
  if (run.exitSignal !== null) return `: killed by ${run.exitSignal} (${run.result})`;
  if (run.exitStatus !== null && run.exitStatus !== 0) return `: exit status ${run.exitStatus} (${run.result})`;
  return `: ${run.result}`;
}

function count(restarts: number): string {
  return `${restarts} ${restarts === 1 ? "restart" : "restarts"}`;
}

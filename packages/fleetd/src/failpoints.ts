import type { AgentFailpoint } from "@fleet/agent";

/**
 * Points at which something may be made to go wrong, for tests: `FLEET_FAILPOINTS=name=chance[,name=chance…]`, where a
 * chance is between 0 and 1. Without the variable nothing does. Only this program reads it: no library does.
 */
const CHANCES: ReadonlyMap<string, number> = new Map(
  (process.env.FLEET_FAILPOINTS ?? "")
    .split(",")
    .filter((point) => point.includes("="))
    .map((point) => [point.slice(0, point.indexOf("=")), Number(point.slice(point.indexOf("=") + 1))]),
);

/** Names of all points at which a daemon may die. */
export type Failpoint = "etcd.before-txn" | "etcd.after-txn" | AgentFailpoint;

/** Names of all mishaps that leave the daemon alive. */
export type Mishap =
  /** A batch of watch events comes late, by up to two seconds; those behind it wait. */
  | "etcd.watch-late"
  /** A batch of watch events comes twice. */
  | "etcd.watch-twice"
  /** A transaction was carried out, and the answer is lost. */
  | "etcd.answer-lost";

/** Whether this process was told to let anything go wrong. */
export const HAS_FAILPOINTS = CHANCES.size > 0;

/** Whether a mishap is to happen now, by its chance. */
export function happens(name: Mishap): boolean {
  return Math.random() < (CHANCES.get(name) ?? 0);
}

/** Ends this process as a crash would, by the chance that this point was given. */
export function failpoint(name: Failpoint): void {
  const chance = CHANCES.get(name);
  if (chance !== undefined && Math.random() < chance) process.kill(process.pid, "SIGKILL");
}

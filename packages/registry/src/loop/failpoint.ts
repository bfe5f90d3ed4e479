/**
 * Points at which a daemon may be made to die, for tests: `FLEET_FAILPOINTS=name=chance[,name=chance…]`, where a chance is
 * between 0 and 1. Without the variable they do nothing.
 */
const CHANCES: ReadonlyMap<string, number> = new Map(
  (process.env.FLEET_FAILPOINTS ?? "")
    .split(",")
    .filter((point) => point.includes("="))
    .map((point) => [point.slice(0, point.indexOf("=")), Number(point.slice(point.indexOf("=") + 1))]),
);

/** Names of all points. */
export type Failpoint =
  | "etcd.before-txn"
  | "etcd.after-txn"
  | "agent.after-write"
  | "agent.after-load"
  | "agent.before-start"
  | "agent.after-start"
  | "agent.after-stop"
  | "agent.after-unload";

/** Ends this process as a crash would, by the chance that this point was given. */
export function failpoint(name: Failpoint): void {
  const chance = CHANCES.get(name);
  if (chance !== undefined && Math.random() < chance) process.kill(process.pid, "SIGKILL");
}

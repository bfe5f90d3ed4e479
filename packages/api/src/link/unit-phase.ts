import type { ClusterState, StateRecord } from "@fleet/domain/cluster";
import { AT_REST, failureText } from "@fleet/domain/unit";
import { lastOf, placesOf, scheduledTo, type Whereabouts } from "@fleet/domain/whereabouts";

/**
 * How far a unit is, for those who follow its journal. `up`: it runs somewhere. `waiting`: it does not, and may soon.
 * `ended`: it does not, and nothing is about to start it. `destroyed`: the registry does not have it.
 */
export type UnitPhase =
  | { readonly kind: "up" | "waiting" }
  | { readonly kind: "ended" | "destroyed"; readonly how: string };

/** @param wasUp whether it has been up since it is followed: what has never been up is waited for */
export function phaseOf(state: ClusterState, name: string, wasUp: boolean): UnitPhase {
  const record = state.units.get(name);
  const states = [...(state.states.get(name)?.values() ?? [])];
  if (states.some(({ systemd }) => !AT_REST.has(systemd.active))) return { kind: "up" };
  if (record === undefined) return { kind: "destroyed", how: "was destroyed" };
  if (record.desiredState === "launched" && record.ended !== true) {
    const isThere =
      states.length > 0 && states.every(({ hash, current }) => hash === record.hash && current === "launched");
    const isPlaced = record.global || scheduledTo(record.whereabouts) !== null;
    return isThere && isPlaced ? { kind: "ended", how: endOf(states) } : { kind: "waiting" };
  }
  if (record.ended === true || wasUp || record.desiredState === "inactive")
    return { kind: "ended", how: endOf(states) };
  return { kind: "waiting" };
}

/** How a unit that is at rest ended, in a few words. */
function endOf(states: readonly StateRecord[]): string {
  const failed = states.find(({ systemd }) => systemd.active === "failed");
  if (failed === undefined) return "has ended";
  return failureText(failed.systemd, failed.run ?? null) ?? "failed";
}

/** The machines that have a unit, or had it last, by what the registry knows. */
export function machinesOf(state: ClusterState, name: string): ReadonlySet<string> {
  const record = state.units.get(name);
  const known = new Set(state.states.get(name)?.keys() ?? []);
  for (const id of state.ended.get(name)?.keys() ?? []) known.add(id);
  if (record !== undefined) for (const id of whereaboutsMachines(record.whereabouts)) known.add(id);
  return known;
}

function whereaboutsMachines(whereabouts: Whereabouts): readonly string[] {
  const last = lastOf(whereabouts);
  const from = whereabouts.kind === "leaving" ? [whereabouts.from] : [];
  return [...placesOf(whereabouts), ...from, ...(last === null ? [] : [last])];
}

import type { ClusterState } from "../cluster/state.ts";
import { globMatches } from "../unit/glob.ts";
import type { Requirements } from "../unit/requirements.ts";
import type { PlacedUnit } from "./rules.ts";

/**
 * A unit whose record can't be read, as one that a newer version wrote, and by whose place it goes where another one may be:
 * by MachineOf, Conflicts or Replaces of either. Null: there is none.
 *
 * @param requirementsOf what the file of such a unit asks for; null: that can't be told
 */
export function unreadablePeer(
  { name, requirements }: Pick<PlacedUnit, "name" | "requirements">,
  { unreadableUnits }: Pick<ClusterState, "unreadableUnits">,
  requirementsOf: (name: string, hash: string) => Requirements | null,
): string | null {
  for (const [peer, hash] of unreadableUnits) {
    const theirs = hash === null ? null : requirementsOf(peer, hash);
    if (dependsOn(requirements, peer) || (theirs !== null && dependsOn(theirs, name))) return peer;
  }
  return null;
}

function dependsOn({ machineOf, conflicts, replaces }: Requirements, peer: string): boolean {
  return machineOf.includes(peer) || [...conflicts, ...replaces].some((glob) => globMatches(glob, peer));
}

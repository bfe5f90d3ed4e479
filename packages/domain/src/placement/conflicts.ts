import type { Metadata } from "@fleet/config";
import { globMatches } from "../unit/glob.ts";
import type { Requirements } from "../unit/requirements.ts";
import { metadataFits } from "./metadata-fit.ts";

/** A unit as the rules of sharing a machine see it. */
export interface Neighbour {
  readonly name: string;
  readonly requirements: Pick<Requirements, "conflicts">;
}

/** Whether two units must not share a machine: a Conflicts glob of either matches the other. */
export function conflicts(one: Neighbour, other: Neighbour): boolean {
  return (
    one.name !== other.name &&
    (one.requirements.conflicts.some((glob) => globMatches(glob, other.name)) ||
      other.requirements.conflicts.some((glob) => globMatches(glob, one.name)))
  );
}

/** A global unit, with the etcd revision at which it became wanted: of two that conflict the older one runs. */
export interface GlobalUnit extends Neighbour {
  readonly requirements: Requirements;
  readonly createRevision: number;
}

/**
 * The global units that run on a machine: those whose metadata fits and that conflict with no unit scheduled there and
 * with no older global unit that runs there. Agent and engine both ask this, so that they can't disagree.
 */
export function globalsOn<G extends GlobalUnit>(
  globals: readonly G[],
  metadata: Metadata,
  scheduled: readonly Neighbour[],
): readonly G[] {
  const running: G[] = [];
  const byAge = [...globals].sort((a, b) => a.createRevision - b.createRevision || (a.name < b.name ? -1 : 1));
  for (const unit of byAge) {
    if (!metadataFits(unit.requirements, metadata)) continue;
    if (scheduled.some((other) => conflicts(unit, other)) || running.some((other) => conflicts(unit, other))) continue;
    running.push(unit);
  }
  return running;
}

import type { Metadata } from "@fleet/config";
import { globMatches } from "../unit/glob.ts";
import { isNumber, type MetadataBound, type Preferences, type Requirements } from "../unit/requirements.ts";

/** Whether a machine's metadata is what the requirements ask for. */
export function metadataFits(requirements: Requirements, metadata: Metadata): boolean {
  return unmetMetadata(requirements, metadata) === null && unmetBound(requirements, metadata) === null;
}

/** The first bound on metadata that a machine does not meet; null where it meets all. */
export function unmetBound(requirements: Requirements, metadata: Metadata): MetadataBound | null {
  return requirements.bounds.find((bound) => !meets(bound, metadata)) ?? null;
}

/** Whether a machine's metadata meets one condition. */
export function meets({ key, operator, value }: Preferences["metadata"][number], metadata: Metadata): boolean {
  const own = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  if (operator === "=") return own === value;
  if (operator === "!=") return own !== value;
  if (own === undefined || !isNumber(own)) return false;
  return operator === ">=" ? Number(own) >= Number(value) : Number(own) <= Number(value);
}

/** The first MachineMetadata requirement that a machine does not meet; null where it meets all. */
export function unmetMetadata(requirements: Requirements, metadata: Metadata): Requirements["metadata"][number] | null {
  return (
    requirements.metadata.find(({ key, values }) => {
      const own = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
      return own === undefined || !values.includes(own);
    }) ?? null
  );
}

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

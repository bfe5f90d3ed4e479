import { type Machine, matchesMachineID } from "../cluster/machine.ts";
import { globMatches } from "../unit/glob.ts";
import type { MetadataBound, Requirements } from "../unit/requirements.ts";
import { conflicts, type Neighbour } from "./conflicts.ts";
import { unmetBound, unmetMetadata } from "./metadata-fit.ts";

/** Why a unit can't be on a machine. */
export type Unfit =
  | { readonly kind: "machine-id"; readonly wanted: string }
  | { readonly kind: "machine-of"; readonly peer: string }
  | { readonly kind: "mutual"; readonly peer: string }
  | { readonly kind: "metadata"; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: "bound"; readonly bound: MetadataBound; readonly own: string | null }
  | { readonly kind: "cordoned"; readonly isDraining: boolean }
  | { readonly kind: "unreadable"; readonly peer: string }
  | { readonly kind: "conflict"; readonly with: string }
  | { readonly kind: "replaced"; readonly by: string };

/** A unit as the rules of placement see it. */
export interface PlacedUnit {
  readonly name: string;
  readonly requirements: Requirements;
  /** Whether it is to be on exactly one machine. */
  readonly isWanted: boolean;
  /** The machine that it is scheduled to; null: none. */
  readonly on: string | null;
}

/** What the rules ask of the cluster around a unit. An answer may leave out units that can't matter. */
export interface Surroundings {
  unit(name: string): PlacedUnit | undefined;
  /** Units on a machine, global ones too, of which one may conflict with the given one. */
  neighbours(unit: PlacedUnit, machineID: string): Iterable<Neighbour>;
  /** Units scheduled to a machine of which one may push the given one away. */
  pushers(unit: PlacedUnit, machineID: string): Iterable<PlacedUnit>;
  /** Whether a machine is to get nothing new; null: it is not. */
  cordon(machineID: string): { readonly drain: boolean } | null;
  /** Every unit that has Replaces globs. */
  replacers(): Iterable<PlacedUnit>;
  /** A unit whose record can't be read and on which it depends where the given one may be; null: there is none. */
  unreadablePeer(unit: PlacedUnit): string | null;
}

/**
 * Why a unit can't be on a machine; null where it can. Its being there already makes no difference. The engine decides
 * by this, and whoever explains its decisions asks the same.
 */
export function unfitOn(unit: PlacedUnit, machine: Machine, around: Surroundings): Unfit | null {
  const { requirements } = unit;
  const { id } = machine;
  if (requirements.machineID !== null && !matchesMachineID(requirements.machineID, id)) {
    return { kind: "machine-id", wanted: requirements.machineID };
  }
  const unmet = unmetMetadata(requirements, machine.metadata);
  if (unmet !== null) return { kind: "metadata", ...unmet };
  const bound = requirements.bounds.length === 0 ? null : unmetBound(requirements, machine.metadata);
  if (bound !== null) return { kind: "bound", bound, own: machine.metadata[bound.key] ?? null };
  const cordon = unit.on === id ? null : around.cordon(id);
  if (cordon !== null) return { kind: "cordoned", isDraining: cordon.drain };
  // Where such a unit is nobody knows: what depends on it stays where it is, and goes nowhere else.
  const unreadable = around.unreadablePeer(unit);
  if (unreadable !== null) return unit.on === id ? null : { kind: "unreadable", peer: unreadable };
  for (const peer of requirements.machineOf) {
    const other = around.unit(peer);
    if (other !== undefined && followEachOther(unit, other)) return { kind: "mutual", peer };
    if (other === undefined || !other.isWanted || other.on !== id) return { kind: "machine-of", peer };
  }
  for (const neighbour of around.neighbours(unit, id)) {
    if (conflicts(unit, neighbour)) return { kind: "conflict", with: neighbour.name };
  }
  for (const other of around.pushers(unit, id)) {
    if (pushes(other, unit, around)) return { kind: "replaced", by: other.name };
  }
  return null;
}

/**
 * Whether one unit pushes another away. In a ring of units that replace each other none does, or they would never
 * rest.
 */
export function pushes(one: PlacedUnit, other: PlacedUnit, around: Pick<Surroundings, "replacers">): boolean {
  if (!matchesReplaces(one, other)) return false;
  const seen = new Set<string>([other.name]);
  const next = [other];
  for (let unit = next.pop(); unit !== undefined; unit = next.pop()) {
    if (unit.requirements.replaces.length === 0) continue;
    if (matchesReplaces(unit, one)) return false;
    for (const candidate of around.replacers()) {
      if (seen.has(candidate.name) || !matchesReplaces(unit, candidate)) continue;
      seen.add(candidate.name);
      next.push(candidate);
    }
  }
  return true;
}

/** The reason as the end of a sentence about a machine. */
export function unfitText(unfit: Unfit): string {
  switch (unfit.kind) {
    case "machine-id":
      return `its ID is not MachineID=${unfit.wanted}`;
    case "machine-of":
      return `MachineOf=${unfit.peer} is not scheduled there`;
    case "mutual":
      return `it and ${unfit.peer} follow each other by MachineOf: remove one of the two`;
    case "metadata":
      return `its metadata lacks ${unfit.values.map((value) => `${unfit.key}=${value}`).join(" or ")}`;
    case "bound": {
      const { key, operator, value } = unfit.bound;
      return `its metadata has ${unfit.own === null ? `no ${key}` : `${key}=${unfit.own}`}, not ${key}${operator}${value}`;
    }
    case "cordoned":
      return unfit.isDraining ? "it is being drained" : "it is cordoned";
    case "unreadable":
      return `the record of ${unfit.peer}, on which it depends, can't be read`;
    case "conflict":
      return `it conflicts with ${unfit.with} there`;
    case "replaced":
      return `${unfit.by} there replaces it`;
  }
}

function matchesReplaces(one: PlacedUnit, other: PlacedUnit): boolean {
  return one.name !== other.name && one.requirements.replaces.some((glob) => globMatches(glob, other.name));
}

function followEachOther(one: PlacedUnit, other: PlacedUnit): boolean {
  return other.requirements.machineOf.includes(one.name);
}

import type { Requirements } from "../unit/requirements.ts";
import { placesOf, type Whereabouts } from "../whereabouts/whereabouts.ts";
import { GlobIndex } from "./glob-index.ts";
import { SpreadCounts } from "./spread-counts.ts";

/** A unit as it takes its place on machines. */
export interface Occupant {
  readonly name: string;
  readonly requirements: Requirements;
  readonly record: { readonly whereabouts: Whereabouts };
}

const NOBODY: ReadonlySet<string> = new Set();

/**
 * Which units take their places on which machines, also on machines that are gone, with what the rules ask of them: so that
 * nobody has to look at every unit of a machine.
 */
export class Occupancy {
  readonly #units = new Map<string, Set<string>>();
  /** The machine of each unit that is placed. */
  readonly #placed = new Map<string, string>();
  /** The machine that a unit is being moved to: it takes its place on both. */
  readonly #movers = new Map<string, string>();
  readonly #conflicts = new GlobIndex(this.#placed, this.#movers);
  readonly #replaces = new GlobIndex(this.#placed, this.#movers);
  readonly #apart = new GlobIndex(this.#placed, this.#movers);
  readonly #spread = new SpreadCounts();
  readonly #weights = new Map<string, number>();

  /** Units that are being moved. */
  get movers(): ReadonlyMap<string, string> {
    return this.#movers;
  }

  /** A unit that asks for this is known, whether it is placed or not. */
  use({ conflicts, replaces, preferences }: Requirements): void {
    this.#conflicts.use(conflicts);
    this.#replaces.use(replaces);
    this.#apart.use(preferences?.apart ?? []);
  }

  /** A unit that asked for this is gone, or asks for something else. */
  drop({ conflicts, replaces, preferences }: Requirements): void {
    this.#conflicts.drop(conflicts);
    this.#replaces.drop(replaces);
    this.#apart.drop(preferences?.apart ?? []);
  }

  /** A unit takes its places. */
  add(unit: Occupant): void {
    const [first, second] = placesOf(unit.record.whereabouts);
    if (first !== undefined) this.#placed.set(unit.name, first);
    if (second !== undefined) this.#movers.set(unit.name, second);
    this.#count(unit, 1);
  }

  /** A unit gives its places up. */
  remove(unit: Occupant): void {
    this.#placed.delete(unit.name);
    this.#movers.delete(unit.name);
    this.#count(unit, -1);
  }

  unitsOn(machineID: string): ReadonlySet<string> {
    return this.#units.get(machineID) ?? NOBODY;
  }

  /** The weight of the units on a machine. */
  weightOn(machineID: string): number {
    return this.#weights.get(machineID) ?? 0;
  }

  /** How many units on a machine a PreferApart glob that is in use matches. */
  matchedOn(machineID: string, glob: string): number {
    return this.#apart.machinesMatched(glob).get(machineID) ?? 0;
  }

  /** Machines that have units which a unit is spread with, itself too, and how many. */
  spreadWith(name: string): Iterable<readonly [machineID: string, units: number]> {
    return this.#spread.of(name);
  }

  /** The Conflicts and Replaces globs that match a name, as one text. */
  globsMatching(name: string): string {
    if (this.#conflicts.isUnused && this.#replaces.isUnused) return "";
    return [...this.#conflicts.matching(name), "", ...this.#replaces.matching(name)].join(" ");
  }

  /** Whether a unit may conflict with one on a machine, global ones aside; false: it does not. */
  mayConflict({ name, requirements }: Pick<Occupant, "name" | "requirements">, machineID: string): boolean {
    if (this.#conflicts.isUnused) return false;
    return (
      requirements.conflicts.some((glob) => this.#conflicts.machinesMatched(glob).has(machineID)) ||
      this.#conflicts.matching(name).some((glob) => this.#conflicts.machinesOwning(glob).has(machineID))
    );
  }

  /** Whether a unit on a machine may push one of this name away; false: none does. */
  mayBeReplaced(name: string, machineID: string): boolean {
    if (this.#replaces.isUnused) return false;
    return this.#replaces.matching(name).some((glob) => this.#replaces.machinesOwning(glob).has(machineID));
  }

  #count({ name, requirements, record }: Occupant, by: 1 | -1): void {
    for (const machineID of placesOf(record.whereabouts)) {
      this.#list(name, machineID, by);
      this.#conflicts.count(name, requirements.conflicts, machineID, by);
      this.#replaces.count(name, requirements.replaces, machineID, by);
      this.#apart.count(name, [], machineID, by);
      if (requirements.preferences?.spread != null) this.#spread.count(name, machineID, by);
      const weight = this.weightOn(machineID) + by * requirements.weight;
      if (weight === 0) this.#weights.delete(machineID);
      else this.#weights.set(machineID, weight);
    }
  }

  #list(name: string, machineID: string, by: 1 | -1): void {
    const units = this.#units.get(machineID);
    if (by === 1) {
      if (units === undefined) this.#units.set(machineID, new Set([name]));
      else units.add(name);
    } else if (units?.delete(name) && units.size === 0) this.#units.delete(machineID);
  }
}

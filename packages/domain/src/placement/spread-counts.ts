import { parseUnitName } from "../unit/name.ts";

/** How many units that are to be spread are on each machine, by what they are spread with. */
export class SpreadCounts {
  readonly #groups = new Map<string, Map<string, number>>();

  /** Counts a unit in on a machine, or out. */
  count(name: string, machineID: string, by: 1 | -1): void {
    const group = groupOf(name);
    const counts = this.#groups.get(group) ?? new Map<string, number>();
    const count = (counts.get(machineID) ?? 0) + by;
    if (count > 0) counts.set(machineID, count);
    else counts.delete(machineID);
    if (counts.size > 0) this.#groups.set(group, counts);
    else this.#groups.delete(group);
  }

  /** Machines that have units which a unit is spread with, itself too, and how many. */
  of(name: string): Iterable<readonly [machineID: string, units: number]> {
    return this.#groups.get(groupOf(name)) ?? [];
  }
}

/** Instances of one template are spread together; any other unit by itself. */
function groupOf(name: string): string {
  return parseUnitName(name)?.template ?? name;
}

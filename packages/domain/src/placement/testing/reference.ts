import { matchesMachineID } from "../../cluster/machine.ts";
import { globMatches } from "../../unit/glob.ts";
import { isTemplateName, parseUnitName } from "../../unit/name.ts";
import type { Requirements } from "../../unit/requirements.ts";
import { conflicts, globalsOn } from "../conflicts.ts";
import { meets, metadataFits } from "../metadata-fit.ts";
import { requirementsOf, type TestMachine, type TestUnit } from "./clusters.ts";

/** The rules, written as slowly and plainly as they can be: one unit after the other, each machine tried in order. */
export function reference(machines: readonly TestMachine[], units: readonly TestUnit[]): Map<string, string | null> {
  const sorted = [...units].sort((a, b) => (a.name < b.name ? -1 : 1));
  const all = sorted.map((unit) => ({ name: unit.name, requirements: requirementsOf(unit), unit }));
  const globals = all
    .filter(({ requirements, unit }) => requirements.global && unit.desiredState !== "inactive")
    .map((entry) => ({ ...entry, createRevision: 1 }));
  const at = new Map<string, string | null>(all.map(({ name }) => [name, null]));
  const scheduled = (machine: string) => all.filter(({ name }) => at.get(name) === machine);
  const globalsAt = (machine: TestMachine) => globalsOn(globals, machine.metadata ?? {}, scheduled(machine.id));
  const pushes = (one: (typeof all)[number], other: (typeof all)[number]): boolean => {
    const edge = (a: (typeof all)[number], b: (typeof all)[number]): boolean =>
      a.name !== b.name && a.requirements.replaces.some((glob) => globMatches(glob, b.name));
    const reached = new Set([other]);
    for (const from of reached) for (const to of all) if (edge(from, to)) reached.add(to);
    return edge(one, other) && !reached.has(one);
  };
  const fits = (entry: (typeof all)[number], machine: TestMachine): boolean => {
    const { requirements } = entry;
    if (requirements.machineID !== null && !matchesMachineID(requirements.machineID, machine.id)) return false;
    if (!metadataFits(requirements, machine.metadata ?? {})) return false;
    if (machine.isCordoned === true && at.get(entry.name) !== machine.id) return false;
    for (const peer of requirements.machineOf) {
      const other = all.find(({ name }) => name === peer);
      if (other === undefined || at.get(peer) !== machine.id || other.requirements.machineOf.includes(entry.name))
        return false;
    }
    const there = scheduled(machine.id).filter(({ name }) => name !== entry.name);
    if ([...there, ...globalsAt(machine)].some((other) => conflicts(entry, other))) return false;
    return !there.some((other) => pushes(other, entry));
  };
  const place = (entry: (typeof all)[number]): boolean => {
    const before = at.get(entry.name) ?? null;
    const here = machines.find(({ id }) => id === before);
    if (here !== undefined && fits(entry, here)) return false;
    const weight = (entries: readonly { requirements: Requirements }[]): number =>
      entries.reduce((sum, { requirements }) => sum + requirements.weight, 0);
    const load = ({ id, ...rest }: TestMachine): number => weight(scheduled(id)) + weight(globalsAt({ id, ...rest }));
    const { preferences } = entry.requirements;
    const kin = all.filter(
      ({ name, requirements }) =>
        name !== entry.name &&
        requirements.preferences?.spread != null &&
        parseUnitName(name)?.template === parseUnitName(entry.name)?.template &&
        (parseUnitName(name)?.template ?? name) === (parseUnitName(entry.name)?.template ?? entry.name),
    );
    const dislike = (machine: TestMachine): number[] => {
      if (preferences === null) return [0, 0, 0];
      const metadata = machine.metadata ?? {};
      const key = preferences.spread;
      const valueAt = (id: string | null | undefined) =>
        key === null ? undefined : machines.find((other) => other.id === id)?.metadata?.[key];
      const sameSpreadValue =
        key === null
          ? 0
          : metadata[key] === undefined
            ? 1e9
            : kin.filter(({ name }) => valueAt(at.get(name)) === metadata[key]).length;
      const others = scheduled(machine.id).filter(({ name }) => name !== entry.name);
      const unwantedNeighbours = preferences.apart.flatMap((glob) =>
        others.filter(({ name }) => globMatches(glob, name)),
      ).length;
      return [
        preferences.metadata.filter((test) => !meets(test, metadata)).length,
        sameSpreadValue,
        unwantedNeighbours,
      ];
    };
    const rank = (machine: TestMachine): number[] => [...dislike(machine), load(machine)];
    const order = machines
      .filter((machine) => fits(entry, machine))
      .map((machine) => ({ id: machine.id, rank: rank(machine) }))
      .sort((a, b) => {
        const index = a.rank.findIndex((value, place) => value !== b.rank[place]);
        return index >= 0 ? (a.rank[index] ?? 0) - (b.rank[index] ?? 0) : a.id < b.id ? -1 : 1;
      });
    at.set(entry.name, order[0]?.id ?? null);
    return at.get(entry.name) !== before;
  };
  const wanted = all.filter(
    ({ name, requirements, unit }) => !requirements.global && unit.desiredState !== "inactive" && !isTemplateName(name),
  );
  // A unit is decided on once a plan: one that is pushed away by a later one waits for the next, behind followers.
  for (let plans = 0; plans < 50; plans++) {
    const decided = new Set<string>();
    for (let before = -1; before < decided.size; ) {
      before = decided.size;
      for (const entry of wanted) if (!decided.has(entry.name) && place(entry)) decided.add(entry.name);
    }
    if (decided.size === 0) break;
  }
  return at;
}

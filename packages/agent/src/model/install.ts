import { type UnitOption, unitNameProblem } from "@fleet/domain/unit";

/** By which unit another one is pulled in, and how. */
export interface Dependent {
  readonly unit: string;
  readonly by: "wants" | "requires";
}

/** What a unit's [Install] section says. */
export interface Install {
  /** Whether it is about the unit alone: no `Also=`, which would enable and disable other units along with it. */
  readonly isAlone: boolean;
  /** `WantedBy=` and `RequiredBy=`. */
  readonly pulledInBy: readonly Dependent[];
  /** `Alias=`: other names that it is to have. */
  readonly aliases: readonly string[];
}

const HOW: Readonly<Record<string, Dependent["by"]>> = { WantedBy: "wants", RequiredBy: "requires" };

/** What a unit's [Install] section says; null where it has none. */
export function installOf(options: readonly UnitOption[]): Install | null {
  const section = options.filter((option) => option.section === "Install");
  if (section.length === 0) return null;
  let pulledInBy: Dependent[] = [];
  let aliases: string[] = [];
  for (const { name, value } of section) {
    if (name === "Alias") aliases = value.trim() === "" ? [] : [...aliases, ...value.trim().split(/\s+/)];
    const by = HOW[name];
    if (by === undefined) continue;
    const units = value.split(/\s+/).filter((unit) => unit !== "");
    // An empty value takes back all before it.
    if (units.length === 0) pulledInBy = pulledInBy.filter((dependent) => dependent.by !== by);
    for (const unit of units) if (unitNameProblem(unit) === null) pulledInBy.push({ unit, by });
  }
  return { isAlone: section.every(({ name }) => name !== "Also"), pulledInBy, aliases };
}

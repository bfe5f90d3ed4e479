import type { UnitOption } from "./file.ts";
import type { Finding } from "./lint.ts";
import { isTemplateName, parseUnitName, unitNameProblem } from "./name.ts";
import { type Requirements, readRequirements } from "./requirements.ts";
import { Settings } from "./settings.ts";

/** Units by name, with their options: those that are to be submitted together, and those that the cluster has. */
export type UnitsByName = ReadonlyMap<string, readonly UnitOption[]>;

/** Options by which a unit needs another one on its machine. */
const NEEDS = ["Requires", "Requisite", "BindsTo"];
/** Options that say something of another unit, and are about one on the same machine. */
const MENTIONS = [...NEEDS, "Wants", "PartOf", "Upholds", "After", "Before"];

/**
 * What a unit says of other units of the cluster that nothing brings to its machine: systemd knows its own machine only.
 * Units that are not among these may be the machines' own, and are not spoken of.
 *
 * @param units all that are known, itself too
 */
export function peerFindings(name: string, units: UnitsByName): readonly Finding[] {
  const options = units.get(name);
  if (options === undefined) return [];
  const file = new Settings(options);
  const own = readRequirements(name, options);
  const told = new Set<string>();
  const findings: Finding[] = [];
  const warn = (peer: string, says: string, what: string): void => {
    if (peer === name || told.has(peer) || !units.has(peer) || isBroughtTogether(name, own, peer, units)) return;
    told.add(peer);
    const remedy = `add MachineOf=${peer} to [X-Fleet]`;
    findings.push({
      line: null,
      severity: "warning",
      message: `${says}, but nothing brings ${peer} to its machine${what}: ${remedy}`,
    });
  };
  for (const option of MENTIONS) {
    const isNeeded = NEEDS.includes(option);
    for (const peer of wordsOf(file, "Unit", option, name))
      warn(
        peer,
        `${option}=${peer}`,
        isNeeded ? ", and without it systemd will not start the unit" : ", and has no effect elsewhere",
      );
  }
  const triggered = triggeredBy(name, file);
  if (triggered !== null) warn(triggered, `it starts ${triggered}`, ", and there is nothing to start elsewhere");
  return findings;
}

/**
 * Which units a unit waits for that there are not: it is placed where they are, and so nowhere. Of a template nothing is
 * said, since its instances may name other units.
 *
 * @param units all that the cluster has, as far as the unit names them, itself too
 */
export function missingLeaders(name: string, units: UnitsByName): readonly Finding[] {
  const options = units.get(name);
  if (options === undefined || isTemplateName(name)) return [];
  const missing = readRequirements(name, options).machineOf.filter(
    // Of what is no name at all the linter speaks.
    (leader) => leader !== name && !units.has(leader) && unitNameProblem(leader) === null,
  );
  return missing.map((leader) => ({
    line: null,
    severity: "warning",
    message: `MachineOf=${leader} is not in the cluster: the unit is pending until that is scheduled`,
  }));
}

/** The other units that a unit names, which may be the cluster's or the machines' own. */
export function peersOf(name: string, options: readonly UnitOption[]): ReadonlySet<string> {
  const file = new Settings(options);
  const triggered = triggeredBy(name, file);
  const named = [
    ...MENTIONS.flatMap((option) => wordsOf(file, "Unit", option, name)),
    ...(triggered === null ? [] : [triggered]),
    ...readRequirements(name, options).machineOf,
  ];
  return new Set(named.filter((peer) => peer !== name && parseUnitName(peer) !== null));
}

/** The unit that a timer, a path or a socket starts; null: it starts none that has one name. */
function triggeredBy(name: string, file: Settings): string | null {
  const { type, name: stem } = parseUnitName(name) ?? {};
  if (type === "timer" || type === "path") {
    const section = type === "timer" ? "Timer" : "Path";
    return expanded(file.last(section, "Unit") ?? `${stem}.service`, name);
  }
  // With Accept=yes each connection starts an instance of a template, which lintUnitFile speaks of.
  if (type !== "socket" || file.isTrue("Socket", "Accept")) return null;
  return expanded(file.last("Socket", "Service") ?? `${stem}.service`, name);
}

function wordsOf(file: Settings, section: string, option: string, name: string): readonly string[] {
  return file.all(section, option).flatMap((value) => value.split(/\s+/).map((word) => expanded(word, name)));
}

/** The specifiers of systemd that stand for parts of a name, as far as fleet has them. */
function expanded(text: string, name: string): string {
  const parts = parseUnitName(name);
  if (parts === null || !text.includes("%")) return text;
  const { full, name: stem, prefix, instance } = parts;
  const values: Readonly<Record<string, string>> = { "%n": full, "%N": stem, "%p": prefix, "%i": instance ?? "" };
  return text.replace(/%[nNpi]/g, (specifier) => values[specifier] ?? specifier);
}

/** Whether a unit and another one come to the same machine by what either asks for. */
function isBroughtTogether(name: string, own: Requirements, peer: string, units: UnitsByName): boolean {
  const other = readRequirements(peer, units.get(peer) ?? []);
  if (other.global && other.metadata.length === 0 && other.bounds.length === 0) return true;
  if (own.machineID !== null && own.machineID === other.machineID) return true;
  return follows(name, peer, units) || follows(peer, name, units) || sharesLeader(name, peer, units);
}

/** Whether a unit goes where another one is, by way of others too. */
function follows(name: string, leader: string, units: UnitsByName): boolean {
  return leadersOf(name, units).has(leader);
}

function sharesLeader(one: string, other: string, units: UnitsByName): boolean {
  const leaders = leadersOf(one, units);
  return [...leadersOf(other, units)].some((leader) => leaders.has(leader));
}

function leadersOf(name: string, units: UnitsByName): ReadonlySet<string> {
  const leaders = new Set<string>();
  const next = [name];
  for (let unit = next.pop(); unit !== undefined; unit = next.pop()) {
    for (const leader of readRequirements(unit, units.get(unit) ?? []).machineOf) {
      if (leaders.has(leader)) continue;
      leaders.add(leader);
      next.push(leader);
    }
  }
  return leaders;
}

/** The unit types systemd knows, as they end a name. */
export const UNIT_TYPES = [
  "automount",
  "busname",
  "device",
  "mount",
  "path",
  "scope",
  "service",
  "slice",
  "snapshot",
  "socket",
  "swap",
  "target",
  "timer",
] as const;

const TEMPLATE_TYPES: ReadonlySet<string> = new Set(["path", "service", "socket", "target", "timer"]);
const TYPES: ReadonlySet<string> = new Set(UNIT_TYPES);
const NAME_CHARACTERS = /^[A-Za-z0-9:_.\\@-]+$/;

/** A unit's name, taken apart. */
export interface UnitName {
  /** The whole name, `foo@bar.service`. */
  readonly full: string;
  /** The name without its type, `foo@bar`; specifier %N. */
  readonly name: string;
  /** What stands before the `@`, or the name without its type; specifier %p. */
  readonly prefix: string;
  /** What stands between the first `@` and the last `.`; empty for a template; null where there is no `@`. */
  readonly instance: string | null;
  /** The template's name, `foo@.service`; null where there is no `@`. */
  readonly template: string | null;
  /** `service`, `timer`, … */
  readonly type: string;
}

/** Takes a name apart; null where it is not a unit's name. unitNameProblem says why. */
export function parseUnitName(full: string): UnitName | null {
  if (unitNameProblem(full) !== null) return null;
  const dot = full.lastIndexOf(".");
  const name = full.slice(0, dot);
  const type = full.slice(dot + 1);
  const at = name.indexOf("@");
  if (at < 0) return { full, name, prefix: name, instance: null, template: null, type };
  const prefix = name.slice(0, at);
  return { full, name, prefix, instance: name.slice(at + 1), template: `${prefix}@.${type}`, type };
}

/** Why a text is not a unit's name, as the end of a sentence; null where it is one. */
export function unitNameProblem(full: string): string | null {
  if (full === "") return "the name is empty";
  if (Buffer.byteLength(full) > 256) return "the name is longer than 256 bytes";
  if (!NAME_CHARACTERS.test(full)) return "only letters, digits and : _ . \\ @ - are allowed in a name";
  if (!full.includes(".")) return "the name has no type such as .service";
  if (full.endsWith(".")) return "the name ends in a dot";
  if (full.startsWith("@")) return "the name starts with @";
  if (full.startsWith(".")) return "there is nothing before the type";
  const type = full.slice(full.lastIndexOf(".") + 1);
  if (!TYPES.has(type)) return `${JSON.stringify(type)} is not a unit type (${UNIT_TYPES.join(", ")})`;
  if (full.includes("@") && !TEMPLATE_TYPES.has(type)) return `a ${type} unit can't be a template or an instance`;
  return null;
}

/** The longest name, in bytes: an agent writes a unit's file as `NAME.new` first, and file systems take 255 bytes. */
export const NAME_LIMIT = 251;

/** The units of fleet's own daemons, as they are packaged: a unit of such a name would stop the agent that runs it. */
export const OWN_UNITS: readonly string[] = [
  ...["fleet.service", "fleet.socket", "fleet-agent.service", "fleet-engine.service", "fleet-api.service"],
];

/** The units that agents make for OnPartition=stop. */
const WATCHDOGS = /^fleet-fence[-.@]/;

const WITHOUT_FILES: Readonly<Record<string, string>> = {
  busname: "systemd has had no busname units since version 233",
  snapshot: "systemd has had no snapshot units since version 228",
  scope: "scopes are made by programs that run, not by files",
};

/** The units without which systemd is not: it refuses to stop them, so nobody could take them away again. */
const PERPETUAL: readonly string[] = ["-.slice", "system.slice", "-.mount"];

/** Why fleet takes no unit of this name, as the end of a sentence; null where it does. One that is there already may go. */
export function refusedNameProblem(full: string): string | null {
  const problem = unitNameProblem(full);
  if (problem !== null) return problem;
  if (full.length > NAME_LIMIT)
    return `the name has ${full.length} bytes, more than the ${NAME_LIMIT} that a machine can write a file for`;
  if (OWN_UNITS.includes(full) || WATCHDOGS.test(full)) return "it is the name of one of fleet's own daemons";
  if (PERPETUAL.includes(full)) return "systemd has this unit for as long as it runs, and never stops it";
  const { type = "", prefix = "", template = null } = parseUnitName(full) ?? {};
  const why = WITHOUT_FILES[type];
  if (why !== undefined) return `a ${type} unit can't be run from a file: ${why}`;
  const slice = template === null ? "" : `system-${escaped(prefix)}.slice`;
  if (slice.length > 255)
    return `its slice ${slice.slice(0, 40)}... would have ${slice.length} bytes, and systemd takes 255`;
  return null;
}

/** A prefix as systemd puts it into the name of a slice, in which dashes divide. */
function escaped(prefix: string): string {
  return prefix.replace(/^\.|[-\\]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
}

/** Whether a text has the characters and the length of a unit's name. */
export function isNameText(text: string): boolean {
  return text.length <= 256 && NAME_CHARACTERS.test(text);
}

/** Whether the name is a template's, `foo@.service`: it can be submitted, never loaded. */
export function isTemplateName(full: string): boolean {
  // Asked of every unit for every placement: most names need no taking apart.
  return full.includes("@.") && parseUnitName(full)?.instance === "";
}

/** What a user typed as a unit, as a unit's name: the last part of a path, with `.service` where no type is given. */
export function expandUnitName(typed: string): string {
  const base = typed.slice(typed.lastIndexOf("/") + 1);
  const type = base.slice(base.lastIndexOf(".") + 1);
  return base.includes(".") && TYPES.has(type) ? base : `${base}.service`;
}

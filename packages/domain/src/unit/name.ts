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
  if (!/^[A-Za-z0-9:_.\\@-]+$/.test(full)) return "only letters, digits and : _ . \\ @ - are allowed in a name";
  if (!full.includes(".")) return "the name has no type such as .service";
  if (full.endsWith(".")) return "the name ends in a dot";
  if (full.startsWith("@")) return "the name starts with @";
  if (full.startsWith(".")) return "there is nothing before the type";
  const type = full.slice(full.lastIndexOf(".") + 1);
  if (!TYPES.has(type)) return `${JSON.stringify(type)} is not a unit type (${UNIT_TYPES.join(", ")})`;
  if (full.includes("@") && !TEMPLATE_TYPES.has(type)) return `a ${type} unit can't be a template or an instance`;
  return null;
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

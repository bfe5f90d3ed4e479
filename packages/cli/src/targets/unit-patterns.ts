import { expandUnitName, globMatches, hasWildcards, isTemplateName, parseUnitName } from "@fleet/domain/unit";
import { unitName } from "./units.ts";

/**
 * The name or glob that a user typed. A template stands for its instances, of which it has none of its own.
 *
 * @throws CommandError where it is neither
 */
export function patternOf(typed: string): string {
  if (hasWildcards(typed)) return typed;
  const name = unitName(typed);
  if (!isTemplateName(name)) return name;
  const { prefix = "", type = "" } = parseUnitName(name) ?? {};
  return `${prefix}@*.${type}`;
}

/** Whether a name, with or without its type, or a glob stands for a unit. */
export function nameMatches(pattern: string, name: string): boolean {
  return expandUnitName(pattern) === name || globMatches(pattern, name);
}

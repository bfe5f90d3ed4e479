import { parseUnitName, type UnitOption } from "@fleet/domain/unit";

const TYPES: ReadonlySet<string> = new Set(["simple", "exec", "idle"]);

/**
 * Whether systemd calls a unit active as soon as its program is begun: a service of which the program itself says nothing
 * when it is ready.
 */
export function isActiveAtOnce(name: string, options: readonly UnitOption[]): boolean {
  if (parseUnitName(name)?.type !== "service") return false;
  const service = options.filter(({ section }) => section === "Service");
  // The last value counts, and an empty one is none.
  const last = (key: string): string => service.findLast((option) => option.name === key)?.value ?? "";
  if (last("ExecStart") === "") return false;
  const type = last("Type") || (last("BusName") === "" ? "simple" : "dbus");
  return TYPES.has(type);
}

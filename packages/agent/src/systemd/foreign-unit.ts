import type { Manager } from "./manager.ts";
import type { UnitLinks } from "./unit-links.ts";

/** What is asked of systemd to tell a unit of fleet's from others. */
type Asked = Pick<Manager, "fragmentPath" | "isPerpetual" | "isMasked">;

/**
 * The path of a unit's file, in systemd's words, where the unit is not fleet's; null: it is, it is masked, or there is none.
 *
 * @throws SystemdError
 */
export async function foreignPathOf(
  manager: Asked,
  links: Pick<UnitLinks, "isOwn">,
  name: string,
): Promise<string | null> {
  const path = await manager.fragmentPath(name);
  if (path === null) return null;
  // A file of fleet's may stand for one of systemd's own units, which can be neither stopped nor started.
  if (links.isOwn(name, path)) return name.endsWith(".slice") && (await manager.isPerpetual(name)) ? path : null;
  return (await manager.isMasked(name)) ? null : path;
}

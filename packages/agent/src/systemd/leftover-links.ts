import { lstatSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { SystemdError } from "./systemd.ts";

/** What a masked unit is a link to. */
const NOTHING = "/dev/null";

/** Where systemd keeps the links of units that are linked or enabled until the next boot. */
export function linksFolder(isUser: boolean): string {
  return isUser ? join(process.env.XDG_RUNTIME_DIR ?? "", "systemd/user") : "/run/systemd/system";
}

/**
 * Takes away the links to units that systemd has left though it was told to disable them, as it leaves those of a unit
 * that somebody has masked: by its name, by an alias, and from what wants it. A mask itself stays.
 *
 * @returns whether there were any
 * @throws SystemdError where one can't be removed, as by an agent without root
 */
export function removeLinks(folder: string, names: readonly string[]): boolean {
  const left = new Set(names.filter((name) => isLink(join(folder, name))));
  if (left.size === 0) return false;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    if (isLink(path) && (left.has(entry.name) || left.has(basename(readlinkSync(path))))) remove(path);
  }
  return true;
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (cause) {
    const what = `systemd has left the link ${path}, as it does while the unit is masked, and the agent may not remove it`;
    throw new SystemdError(`${what}: unmask the unit, or remove the link by hand`, { cause });
  }
}

/** Whether there is a link at a path that is not a mask. */
function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true && readlinkSync(path) !== NOTHING;
}

import { existsSync, lstatSync, readdirSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** What a masked unit is a link to. */
const NOTHING = "/dev/null";

/** Where systemd keeps the links of units that are linked or enabled until the next boot. */
export function linksFolder(isUser: boolean): string {
  return isUser ? join(process.env.XDG_RUNTIME_DIR ?? "", "systemd/user") : "/run/systemd/system";
}

/** What became of the links to units. */
export interface RemovedLinks {
  /** Whether there was one by which another unit pulled one of them in. */
  readonly wasEnabled: boolean;
  /** Units with a link that may not be removed, as by an agent without root: path by name. */
  readonly left: ReadonlyMap<string, string>;
}

/**
 * The links by which systemd finds fleet's unit files, and by which its targets pull units in. Only links to fleet's own
 * files are ever touched; a mask, another's file and another's link stay.
 */
export class UnitLinks {
  readonly #links: string;
  readonly #files: string;
  readonly #root: string;

  /**
   * @param links where systemd keeps links until the next boot
   * @param files where fleet's unit files are
   * @param root systemd's root folder as this process sees it, which both paths then begin with; empty: its own
   */
  constructor(links: string, files: string, root = "") {
    this.#links = resolve(links);
    this.#files = resolve(files);
    this.#root = root;
  }

  /** Whether a path in systemd's words is that of a file of fleet's own, or of a link to a unit of this name that is. */
  isOwn(name: string, path: string): boolean {
    if (this.#isFolder(dirname(path), this.#files)) return true;
    if (!this.#isFolder(dirname(path), this.#links) || basename(path) !== name) return false;
    // An agent in a container does not see systemd's folders: a link under the name of a file of its own is to that.
    if (!existsSync(this.#links)) return existsSync(join(this.#files, name));
    // A link that somebody has removed by hand: what systemd still holds came by it.
    return this.has(name) || lstatSync(join(this.#links, name), { throwIfNoEntry: false }) === undefined;
  }

  /** Whether systemd finds fleet's file of a unit by a link. */
  has(name: string): boolean {
    const path = join(this.#links, name);
    const target = linkTarget(path);
    return target !== null && this.#pointsTo(path, target, name);
  }

  /**
   * Removes the link of a name where it leads to nothing, or is another fleet unit's `Alias=`: a unit's own name comes
   * first. Nothing happens where it may not be removed.
   */
  makeRoom(name: string): void {
    const path = join(this.#links, name);
    const target = linkTarget(path);
    if (target === null || target === NOTHING || this.#pointsTo(path, target, name)) return;
    const isAlias = this.#isFolder(dirname(target), this.#files);
    if (isAlias || !existsSync(resolve(this.#links, target))) tryRemove(path);
  }

  /** Removes every link to units: their own, their aliases', and those by which others pull them in. */
  remove(names: readonly string[]): RemovedLinks {
    const wanted = new Set(names);
    const left = new Map<string, string>();
    let wasEnabled = false;
    for (const [path, name] of this.#linksTo(wanted)) {
      if (!tryRemove(path)) left.set(name, path);
      else if (/\.(wants|requires|upholds)$/.test(dirname(path))) wasEnabled = true;
    }
    return { wasEnabled, left };
  }

  /** Paths of links to units' files, each with the unit's name. */
  #linksTo(names: ReadonlySet<string>): (readonly [string, string])[] {
    if (!existsSync(this.#links)) return [];
    const found: (readonly [string, string])[] = [];
    for (const { parentPath, name: entry } of readdirSync(this.#links, { recursive: true, withFileTypes: true })) {
      const path = join(parentPath, entry);
      const target = linkTarget(path);
      const name = target === null ? "" : basename(target);
      if (target !== null && names.has(name) && this.#pointsTo(path, target, name)) found.push([path, name]);
    }
    return found;
  }

  /** Whether a folder in systemd's words is one of ours, which may be reached by a link such as /var/run. */
  #isFolder(inItsWords: string, folder: string): boolean {
    return this.#root + inItsWords === folder || (this.#root === "" && isSame(inItsWords, folder));
  }

  /** Whether a link leads to the file of fleet's unit of a name; newer versions of systemd write relative links. */
  #pointsTo(path: string, target: string, name: string): boolean {
    if (basename(target) !== name) return false;
    if (this.#isFolder(dirname(target), this.#files)) return true;
    if (target.startsWith("/")) return false;
    const own = join(this.#links, name);
    const folder = dirname(resolve(dirname(path), target));
    // A link of another name or folder may lead to the unit's own one, which never leads to itself.
    return folder === this.#files || (folder === this.#links && path !== own && this.has(name));
  }
}

/** Whether two paths lead to one folder that is there. */
function isSame(one: string, other: string): boolean {
  return one.startsWith("/") && existsSync(one) && existsSync(other) && realpathSync(one) === realpathSync(other);
}

/** Where a link leads; null where there is none. */
function linkTarget(path: string): string | null {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(path) : null;
}

function tryRemove(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    return false;
  }
}

import { removeLinks } from "./leftover-links.ts";
import { type Manager, systemdErrorOf } from "./manager.ts";
import { SystemdError, type UnitToLoad } from "./systemd.ts";
import { MISSING_ERRORS } from "./wire.ts";

/** Unit files in systemd's eyes: linked, enabled or disabled until the next boot. */
export class UnitFiles {
  readonly #manager: Manager;
  readonly #links: string;

  /** @param links where systemd keeps the links of units that are linked or enabled until the next boot */
  constructor(manager: Manager, links: string) {
    this.#manager = manager;
    this.#links = links;
  }

  /**
   * Links units, or enables those with an [Install] section.
   *
   * @param failed is given what went wrong, by name
   * @returns whether systemd has to reload
   */
  async install(units: readonly UnitToLoad[], failed: Map<string, SystemdError>): Promise<boolean> {
    let needsReload = this.#manager.needsReloadForNewFiles;
    // What systemd still holds of an earlier unit of the name would be started instead of the new text.
    const held = await this.#manager.activeStates(units.map(({ name }) => name));
    for (const [name, active] of held) if (active === "failed") await this.#manager.resetFailed(name);
    await this.#link(
      units.filter(({ hasInstall }) => !hasInstall),
      failed,
    );
    for (const { name, path } of units.filter(({ hasInstall }) => hasInstall)) {
      try {
        await this.#manager.call("EnableUnitFiles", [path], true, true);
        needsReload = true;
      } catch (error) {
        failed.set(name, systemdErrorOf(error));
        await this.disable([name], new Map());
      }
    }
    for (const name of held.keys()) needsReload ||= await this.#manager.needsReload(name);
    return needsReload;
  }

  /**
   * Takes all links to units away.
   *
   * @param failed is given what went wrong, by name
   * @returns whether any of them was enabled
   */
  async disable(names: readonly string[], failed: Map<string, SystemdError>): Promise<boolean> {
    try {
      return await this.#removeLinks(names);
    } catch (error) {
      const reason = systemdErrorOf(error);
      const [only] = names;
      if (reason.unavailable) throw reason;
      if (names.length === 1 && only !== undefined) {
        failed.set(only, reason);
        return false;
      }
    }
    // systemd has stopped at the first that it does not find or refuses.
    let wasEnabled = false;
    for (const name of names) wasEnabled = (await this.disable([name], failed)) || wasEnabled;
    return wasEnabled;
  }

  /** Links all in one call; where systemd refuses one, it links none, so each is then tried by itself. */
  async #link(units: readonly UnitToLoad[], failed: Map<string, SystemdError>): Promise<void> {
    if (units.length === 0) return;
    try {
      await this.#manager.call(
        "LinkUnitFiles",
        units.map(({ path }) => path),
        true,
        true,
      );
    } catch (error) {
      const reason = systemdErrorOf(error);
      const [only] = units;
      if (reason.unavailable) throw reason;
      if (units.length === 1 && only !== undefined) failed.set(only.name, reason);
      else for (const unit of units) await this.#link([unit], failed);
    }
  }

  async #removeLinks(names: readonly string[]): Promise<boolean> {
    let wasEnabled = false;
    try {
      wasEnabled = hasEnablement(await this.#manager.call("DisableUnitFiles", names, true));
    } catch (error) {
      if (names.length > 1 || !isMissing(error)) throw error;
    }
    return removeLinks(this.#links, names) || wasEnabled;
  }
}

/** Whether DisableUnitFiles has taken away a link by which another unit pulled one in. */
function hasEnablement([changes]: readonly unknown[]): boolean {
  return (changes as readonly (readonly [string, string, string])[]).some(([, path]) =>
    /\.(wants|requires)\//.test(path),
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof SystemdError && MISSING_ERRORS.has(error.type);
}

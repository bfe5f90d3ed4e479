import { AT_REST } from "@fleet/domain/unit";
import type { Install } from "../model/install.ts";
import { type Manager, systemdErrorOf } from "./manager.ts";
import { ForeignUnitError, SystemdError, type UnitToLoad } from "./systemd.ts";
import type { UnitLinks } from "./unit-links.ts";
import { FILE_EXISTS_ERRORS, MISSING_ERRORS } from "./wire.ts";

/** Types of units that may be there without a file. */
const FILELESS = /\.(mount|swap|slice)$/;

/** Unit files in systemd's eyes: linked, enabled or disabled until the next boot. */
export class UnitFiles {
  readonly #manager: Manager;
  readonly #links: UnitLinks;

  constructor(manager: Manager, links: UnitLinks) {
    this.#manager = manager;
    this.#links = links;
  }

  /**
   * Links units, and enables those with an [Install] section: they alone, never by force over another's link.
   *
   * @param failed is given what went wrong, by name
   * @returns whether systemd has to reload
   */
  async install(asked: readonly UnitToLoad[], failed: Map<string, SystemdError>): Promise<boolean> {
    const units = await this.#ownOnly(asked, failed);
    let needsReload = this.#manager.needsReloadForNewFiles;
    // What systemd still holds of an earlier unit of the name would be started instead of the new text.
    const held = await this.#manager.activeStates(units.map(({ name }) => name));
    for (const [name, active] of held) if (active === "failed") await this.#manager.resetFailed(name);
    await this.#link(units, failed);
    for (const unit of units) {
      const { name, install } = unit;
      if (install === null || failed.has(name)) continue;
      try {
        await this.#enable(unit, install);
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
   * Takes all links to units' files away, and no others: what `Also=` names stays enabled.
   *
   * @param failed is given what went wrong, by name
   * @returns whether any of them was enabled
   */
  async disable(names: readonly string[], failed: Map<string, SystemdError>): Promise<boolean> {
    const { wasEnabled, left } = this.#links.remove(names);
    if (left.size === 0) return wasEnabled;
    return (await this.#disableBySystemd([...left.keys()], failed)) || wasEnabled;
  }

  /** What the agent may not remove, as one without root, systemd does. */
  async #disableBySystemd(names: readonly string[], failed: Map<string, SystemdError>): Promise<boolean> {
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
    for (const name of names) wasEnabled = (await this.#disableBySystemd([name], failed)) || wasEnabled;
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
        false,
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
    const again = this.#links.remove(names);
    const [path] = again.left.values();
    if (path !== undefined) {
      const what = `systemd has left the link ${path}, as it does while the unit is masked, and the agent may not remove it`;
      throw new SystemdError(`${what}: unmask the unit, or remove the link by hand`);
    }
    return wasEnabled;
  }

  /** Those units of which the name stands for fleet's file, or for none. */
  async #ownOnly(units: readonly UnitToLoad[], failed: Map<string, SystemdError>): Promise<readonly UnitToLoad[]> {
    for (const { name } of units) this.#links.makeRoom(name);
    const names = units.map(({ name }) => name);
    await this.#refuseFileless(names, failed);
    const files = await this.#manager.filesOf(names);
    return units.filter(({ name }) => {
      const path = files.get(name);
      if (path === undefined || this.#links.isOwn(name, path)) return !failed.has(name);
      failed.set(name, new ForeignUnitError(name, path));
      return false;
    });
  }

  /** Notes units that the machine has without a unit file: systemd's own, and what somebody has mounted or swapped on. */
  async #refuseFileless(names: readonly string[], failed: Map<string, SystemdError>): Promise<void> {
    const held = await this.#manager.held(names.filter((name) => FILELESS.test(name)));
    for (const [name, { active }] of held) {
      const isOthers = !AT_REST.has(active) && (await this.#manager.fragmentPath(name)) === null;
      if (isOthers || (await this.#manager.isPerpetual(name))) failed.set(name, new ForeignUnitError(name, null));
    }
  }

  /**
   * Enables a unit that is linked. Where systemd would touch others too, or an alias is the name of another unit, only what
   * pulls it in is made known to it: systemd looks for other units of an alias in the folder of its links alone.
   */
  async #enable({ name, path }: UnitToLoad, { isAlone, pulledInBy, aliases }: Install): Promise<void> {
    const taken = await this.#manager.filesOf(aliases.map((alias) => withInstance(alias, name)));
    try {
      if (isAlone && taken.size === 0) {
        await this.#manager.call("EnableUnitFiles", [path], true, false);
        return;
      }
    } catch (error) {
      // Another unit has the name of an alias.
      if (!(error instanceof SystemdError && FILE_EXISTS_ERRORS.has(error.type))) throw error;
    }
    for (const { unit, by } of pulledInBy) {
      try {
        await this.#manager.call(
          "AddDependencyUnitFiles",
          [name],
          unit,
          by === "wants" ? "Wants" : "Requires",
          true,
          false,
        );
      } catch (error) {
        // What is not on this machine pulls in nothing.
        if (!isMissing(error)) throw error;
      }
    }
  }
}

/** A name in an [Install] section, with what stands there for the parts of the unit's own name. */
function withInstance(alias: string, unit: string): string {
  const [, prefix = "", instance = ""] = /^(.*?)(?:@(.*))?\.[a-z]+$/.exec(unit) ?? [];
  return alias.replace(/%([nNpi])/g, (_, part: string) => {
    if (part === "n") return unit;
    if (part === "N") return unit.slice(0, unit.lastIndexOf("."));
    return part === "p" ? prefix : instance;
  });
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

import { basename } from "node:path";
import { AT_REST, type SystemdStates } from "@fleet/domain/unit";
import type { Bus } from "./bus.ts";
import { SystemdError } from "./systemd.ts";
import {
  FRAGMENT_PATH_PROPERTY,
  GET_PROPERTY,
  LOAD_STATE_PROPERTY,
  MANAGER,
  MANAGER_PATH,
  NEED_RELOAD_PROPERTY,
  PERPETUAL_PROPERTY,
  PROPERTIES,
  SIGNATURES,
  STOPPED_ALONG_PROPERTIES,
  SYSTEMD,
  UNIT,
  type UnitRow,
  unitPath,
  VERSION_PROPERTY,
} from "./wire.ts";

/** From this version on a new unit file is found without a reload; measured on 252. */
const FINDS_NEW_FILES = 245;
/** ListUnitsByNames came with this version. */
const LISTS_BY_NAMES = 230;

/** States of a unit that is up, or on its way there. */
export const RUNS: ReadonlySet<string> = new Set(["active", "activating", "reloading", "refreshing"]);
/** From more names on, all units that systemd holds are listed. */
const FEW_PATTERNS = 32;

/** A method of systemd's manager. */
export type ManagerMethod = keyof typeof SIGNATURES;

/** systemd's manager object on D-Bus: its methods, and its readings of units. */
export class Manager {
  readonly #bus: Bus;
  readonly #version: number;

  private constructor(bus: Bus, version: number) {
    this.#bus = bus;
    this.#version = version;
  }

  /** @throws SystemdError where systemd can't be reached */
  static async connect(bus: Bus): Promise<Manager> {
    return new Manager(bus, majorVersion(await property(bus, MANAGER_PATH, MANAGER, VERSION_PROPERTY)));
  }

  /** Whether a new unit file is found only after a reload. */
  get needsReloadForNewFiles(): boolean {
    return this.#version < FINDS_NEW_FILES;
  }

  /**
   * Calls a method; returns the body of its answer.
   *
   * @throws SystemdError
   */
  call(method: ManagerMethod, ...args: readonly unknown[]): Promise<unknown[]> {
    return this.#bus.call({
      destination: SYSTEMD,
      path: MANAGER_PATH,
      interface: MANAGER,
      member: method,
      signature: SIGNATURES[method],
      body: [...args],
    });
  }

  /** Makes a unit that has failed one that is only loaded, where systemd knows it. */
  async resetFailed(name: string): Promise<void> {
    try {
      await this.call("ResetFailedUnit", name);
    } catch (error) {
      if (systemdErrorOf(error).unavailable) throw error;
    }
  }

  /** States of units by name; those that systemd does not know are `not-found`. */
  async states(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>> {
    if (names.length === 0) return new Map();
    const wanted = new Set(names);
    const rows =
      this.#version >= LISTS_BY_NAMES ? await this.#rows("ListUnitsByNames", names) : await this.#rows("ListUnits");
    const states = new Map<string, SystemdStates>();
    for (const row of rows) if (wanted.has(row[0])) states.set(row[0], statesOf(row));
    for (const name of names) {
      if (!states.has(name)) states.set(name, { load: "not-found", active: "inactive", sub: "dead" });
    }
    return states;
  }

  /** Active states, by name, of the units with a file that systemd holds in memory; nothing is loaded for the question. */
  async activeStates(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const held = [...(await this.held(names))].filter(([, { load }]) => load !== "not-found");
    return new Map(held.map(([name, { active }]) => [name, active]));
  }

  /** What systemd holds of units in memory, by name; nothing is loaded for the question. */
  async held(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>> {
    return new Map((await this.#heldRows(names)).map((row) => [row[0], statesOf(row)]));
  }

  /** Object paths of start jobs that are queued or under way, by their units' names. */
  async startJobs(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = (await this.#heldRows(names)).filter((row) => row[7] !== 0 && row[8] === "start");
    return new Map(rows.map((row) => [row[0], row[9]]));
  }

  async #heldRows(names: readonly string[]): Promise<readonly UnitRow[]> {
    if (names.length === 0) return [];
    const wanted = new Set(names);
    // systemd compares each pattern with the name of each unit.
    const isFew = this.#version >= LISTS_BY_NAMES && names.length <= FEW_PATTERNS;
    const rows = isFew
      ? await this.#rows("ListUnitsByPatterns", [], names.map(asPattern))
      : await this.#rows("ListUnits");
    return rows.filter(([name]) => wanted.has(name));
  }

  /** A property of a unit that systemd holds in memory. */
  async propertyOf(name: string, owner: string, propertyName: string): Promise<unknown> {
    return property(this.#bus, unitPath(name), owner, propertyName);
  }

  /** The path of the file that a unit comes from, in systemd's words; null: it has none. The unit is loaded for it. */
  async fragmentPath(name: string): Promise<string | null> {
    return String((await this.propertyOf(name, UNIT, FRAGMENT_PATH_PROPERTY)) ?? "") || null;
  }

  /** Names of units that run, or are on their way, and that systemd stops along with a unit, or with one of those. */
  async runningWith(name: string): Promise<readonly string[]> {
    if ((await this.held([name])).size === 0) return [];
    const found = new Set([name]);
    for (const unit of found) {
      const lists = await Promise.all(
        STOPPED_ALONG_PROPERTIES.map(
          (property) => this.propertyOf(unit, UNIT, property) as Promise<string[] | undefined>,
        ),
      );
      const states = await this.held([...new Set(lists.flatMap((list) => list ?? []))]);
      for (const [other, { active }] of states) if (!AT_REST.has(active)) found.add(other);
    }
    found.delete(name);
    return [...found];
  }

  /** Whether a unit is one of systemd's own that can't be stopped, such as `-.slice`. */
  async isPerpetual(name: string): Promise<boolean> {
    return (await this.propertyOf(name, UNIT, PERPETUAL_PROPERTY)) === true;
  }

  /** Whether somebody has masked a unit: its file is then a link to nothing. */
  async isMasked(name: string): Promise<boolean> {
    return (await this.propertyOf(name, UNIT, LOAD_STATE_PROPERTY)) === "masked";
  }

  /** Paths of the files that systemd would load units from, by name; masks are none. No unit is loaded for it. */
  async filesOf(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (names.length === 0) return new Map();
    const wanted = new Set(names);
    const [rows] =
      this.#version >= LISTS_BY_NAMES
        ? await this.call("ListUnitFilesByPatterns", [], names.map(asPattern))
        : await this.call("ListUnitFiles");
    const found = new Map<string, string>();
    for (const [path, state] of rows as readonly (readonly [string, string])[]) {
      const name = basename(path);
      if (wanted.has(name) && !state.startsWith("masked")) found.set(name, path);
    }
    return found;
  }

  /** Whether a unit's file is newer than what systemd holds of it. */
  async needsReload(name: string): Promise<boolean> {
    return (await this.propertyOf(name, UNIT, NEED_RELOAD_PROPERTY)) === true;
  }

  async #rows(method: ManagerMethod, ...args: readonly unknown[]): Promise<readonly UnitRow[]> {
    return (await this.call(method, ...args))[0] as readonly UnitRow[];
  }
}

/** Whatever was thrown, as a SystemdError. */
export function systemdErrorOf(error: unknown): SystemdError {
  return error instanceof SystemdError ? error : new SystemdError(String(error), { cause: error });
}

/**
 * What systemd says of a unit. One whose start is queued, behind others or for a moment only, is on its way, though for
 * systemd itself it is as it was before: inactive, like one that has run and ended, or still failed.
 */
function statesOf([, , load, active, sub, , , job, jobType]: UnitRow): SystemdStates {
  const isQueued = job !== 0 && jobType === "start" && (active === "inactive" || active === "failed");
  return isQueued ? { load, active: "activating", sub: "waiting" } : { load, active, sub };
}

async function property(bus: Bus, path: string, owner: string, name: string): Promise<unknown> {
  const [variant] = await bus.call({
    destination: SYSTEMD,
    path,
    interface: PROPERTIES,
    ...GET_PROPERTY,
    body: [owner, name],
  });
  return (variant as { value?: unknown } | undefined)?.value;
}

/** "252.39-1~deb12u2" → 252 */
function majorVersion(version: unknown): number {
  return Number(/\d+/.exec(String(version))?.[0] ?? 0);
}

/** Names are matched as globs there, in which a backslash may or may not stand for itself: any character is asked for. */
function asPattern(name: string): string {
  return name.replaceAll("\\", "?");
}

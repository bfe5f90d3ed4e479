import type { SystemdStates } from "@fleet/domain/unit";
import { Bus } from "./bus.ts";
import { foreignPathOf } from "./foreign-unit.ts";
import { Manager } from "./manager.ts";
import { SystemdError } from "./systemd.ts";
import { linksFolder, UnitLinks } from "./unit-links.ts";
import { GET_ALL_PROPERTIES, PROPERTIES, SYSTEMD, typeInterface, UNIT, USAGE_PROPERTIES, unitPath } from "./wire.ts";

/** Properties of a unit by systemd's names for them; numbers of 64 bits are bigints. */
export type UnitProperties = ReadonlyMap<string, unknown>;

/** A process in a unit's control group. */
export interface UnitProcessRow {
  readonly pid: number;
  readonly command: string;
  readonly controlGroup: string;
}

/** What a unit's processes use; what systemd does not account is null. */
export type UnitFigures = Readonly<Record<keyof typeof USAGE_PROPERTIES, bigint | null>>;

/** What people ask about units, of systemd, by a connection that is there for the question only. */
export interface UnitDetails {
  /** All properties of a unit, those of its type among them. */
  properties(name: string): Promise<UnitProperties>;
  processes(name: string): Promise<readonly UnitProcessRow[]>;
  /** States of units by name, of those that systemd holds in memory. */
  states(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>>;
  figures(name: string): Promise<UnitFigures>;
  /** The path of the file of a unit that is not fleet's, in systemd's words; null: it is fleet's, masked, or there is none. */
  foreignPath(name: string): Promise<string | null>;
  close(): void;
}

/** systemd's word for a number that it does not know, or that has no limit. */
const NO_NUMBER = 2n ** 64n - 1n;

/** The same over D-Bus. */
export class DBusUnitDetails implements UnitDetails {
  readonly #bus: Bus;
  readonly #manager: Manager;
  readonly #links: UnitLinks;

  private constructor(bus: Bus, manager: Manager, links: UnitLinks) {
    this.#bus = bus;
    this.#manager = manager;
    this.#links = links;
  }

  /** @throws SystemdError where D-Bus or systemd can't be reached */
  static async connect(isUser: boolean, unitsFolder: string): Promise<DBusUnitDetails> {
    const bus = await Bus.connect(isUser);
    try {
      return new DBusUnitDetails(bus, await Manager.connect(bus), new UnitLinks(linksFolder(isUser), unitsFolder));
    } catch (error) {
      bus.close();
      throw error;
    }
  }

  async properties(name: string): Promise<UnitProperties> {
    const ofType = typeInterface(name);
    const all = await Promise.all([this.#all(name, UNIT), ...(ofType === null ? [] : [this.#all(name, ofType)])]);
    return new Map(all.flatMap((entries) => [...entries]));
  }

  async processes(name: string): Promise<readonly UnitProcessRow[]> {
    const [rows] = await this.#manager.call("GetUnitProcesses", name);
    return (rows as readonly (readonly [string, number, string])[]).map(([controlGroup, pid, command]) => ({
      pid,
      command,
      controlGroup,
    }));
  }

  states(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>> {
    return this.#manager.held(names);
  }

  async figures(name: string): Promise<UnitFigures> {
    const owner = typeInterface(name);
    const read = async (property: string): Promise<bigint | null> =>
      owner === null ? null : numberOf(await this.#property(name, owner, property));
    const keys = Object.keys(USAGE_PROPERTIES) as (keyof UnitFigures)[];
    const values = await Promise.all(keys.map(async (key) => [key, await read(USAGE_PROPERTIES[key])] as const));
    return Object.fromEntries(values) as UnitFigures;
  }

  foreignPath(name: string): Promise<string | null> {
    return foreignPathOf(this.#manager, this.#links, name);
  }

  close(): void {
    this.#bus.close();
  }

  /** A property; undefined where this systemd does not have it, or units of this type don't. */
  async #property(name: string, owner: string, property: string): Promise<unknown> {
    try {
      return await this.#manager.propertyOf(name, owner, property);
    } catch (error) {
      if (error instanceof SystemdError && !error.unavailable) return undefined;
      throw error;
    }
  }

  async #all(name: string, owner: string): Promise<ReadonlyMap<string, unknown>> {
    const [values] = await this.#bus.call({
      destination: SYSTEMD,
      path: unitPath(name),
      interface: PROPERTIES,
      ...GET_ALL_PROPERTIES,
      body: [owner],
    });
    const variants = Object.entries(values as Record<string, { readonly value: unknown }>);
    return new Map(variants.map(([key, { value }]) => [key, value]));
  }
}

/** A number of systemd's; null: it does not know it, or there is no limit. */
export function numberOf(value: unknown): bigint | null {
  if (typeof value === "number") return BigInt(value);
  return typeof value === "bigint" && value < NO_NUMBER ? value : null;
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import { RegistryError } from "@fleet/domain/cluster";
import { unitNameProblem } from "@fleet/domain/unit";
import { RefusedQuestion } from "@fleet/link";
import type { Registry } from "@fleet/registry";
import type { UnitDetails } from "../systemd/unit-details.ts";

/** What tells fleet's units from the host's own. */
export interface OwnUnitsOptions {
  readonly registry: Registry;
  readonly unitsDirectory: string;
  readonly connectDetails: () => Promise<UnitDetails>;
}

/** Which units are asked about: fleet's own, and no others. */
export class OwnUnits {
  readonly #options: OwnUnitsOptions;

  constructor(options: OwnUnitsOptions) {
    this.#options = options;
  }

  /**
   * Checks that each of some units is fleet's: it is on this machine, or the registry has it, or had it within a day, and
   * no file of the host's own goes by its name. What a unit wrote last is asked for when it has just been destroyed.
   *
   * @throws RefusedQuestion
   */
  async check(names: readonly string[]): Promise<void> {
    const { unitsDirectory, registry, connectDetails } = this.#options;
    for (const name of names) {
      const problem = unitNameProblem(name);
      if (problem !== null) throw new RefusedQuestion(`${JSON.stringify(name)} is no unit's name: ${problem}`);
    }
    const away = names.filter((name) => !existsSync(join(unitsDirectory, name)));
    if (away.length === 0) return;
    const known = await registry.units(away);
    for (const name of away)
      if (!known.has(name) && !(await this.#wasThere(name)))
        throw new RefusedQuestion(`${name} is none of fleet's units: nothing is told of the machine's own`);
    const details = await connectDetails();
    try {
      for (const name of away) {
        const path = await details.foreignPath(name);
        if (path !== null)
          throw new RefusedQuestion(
            `${name} on this machine comes from ${path}, not from fleet: nothing is told of it`,
          );
      }
    } finally {
      details.close();
    }
  }
  /** Whether the registry had a unit within a day. A user of etcd that may not read that is told that it had not. */
  async #wasThere(name: string): Promise<boolean> {
    try {
      return (await this.#options.registry.versions(name)).length > 0;
    } catch (error) {
      if (error instanceof RegistryError && error.code === "forbidden") return false;
      throw error;
    }
  }
}

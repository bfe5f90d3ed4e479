import { existsSync } from "node:fs";
import { join } from "node:path";
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
   * Checks that each of some units is fleet's: it is on this machine, or the registry has it and no file of the host's own
   * goes by its name.
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
    const unknown = away.find((name) => !known.has(name));
    if (unknown !== undefined)
      throw new RefusedQuestion(`${unknown} is none of fleet's units: nothing is told of the machine's own`);
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
}

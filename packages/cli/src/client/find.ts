import type { ClusterClient, MachineInfo, StateInfo, UnitInfo } from "./cluster-client.ts";
import { concurrently } from "./concurrently.ts";

/** More units than these are not asked for one by one: everything is read at once. */
const MOST_ONE_BY_ONE = 8;

/** Units by name, those that there are. */
export async function findUnits(
  client: ClusterClient,
  names: readonly string[],
): Promise<ReadonlyMap<string, UnitInfo>> {
  const found = new Map<string, UnitInfo>();
  if (names.length > MOST_ONE_BY_ONE) {
    const wanted = new Set(names);
    for (const unit of await client.units()) if (wanted.has(unit.name)) found.set(unit.name, unit);
  } else {
    await concurrently(names, async (name) => {
      const unit = await client.unit(name);
      if (unit !== null) found.set(name, unit);
    });
  }
  return found;
}

/** What machines say of units; of many units, what they say of others too. */
export async function findStates(client: ClusterClient, names: readonly string[]): Promise<readonly StateInfo[]> {
  if (names.length > MOST_ONE_BY_ONE) return client.states();
  return (await Promise.all(names.map((name) => client.states(name)))).flat();
}

/** All machines, by ID. */
export async function machinesByID(client: ClusterClient): Promise<ReadonlyMap<string, MachineInfo>> {
  return new Map((await client.machines()).map((machine) => [machine.id, machine]));
}

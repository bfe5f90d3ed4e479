import type { MachineInfo, UnitInfo } from "../client/cluster-client.ts";
import { CommandError } from "../errors.ts";

/** The machines whose ID begins so; the one whose ID is exactly so, where there is one. */
export function machinesByPrefix(machines: readonly MachineInfo[], prefix: string): readonly MachineInfo[] {
  const exact = machines.filter(({ id }) => id === prefix);
  return exact.length > 0 ? exact : machines.filter(({ id }) => prefix !== "" && id.startsWith(prefix));
}

/**
 * The one machine whose ID begins so.
 *
 * @throws CommandError where no machine's ID does, or several do
 */
export function onlyMachine(machines: readonly MachineInfo[], prefix: string): MachineInfo {
  const found = machinesByPrefix(machines, prefix);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only === undefined) throw new CommandError(`Machine ${prefix} does not exist.`);
  throw new CommandError(
    `machine ${JSON.stringify(prefix)} is ambiguous: ${found.map(({ id }) => id).join(", ")}; give more of the ID`,
  );
}

/**
 * The machine that a unit is scheduled to.
 *
 * @throws CommandError where it is scheduled to none, or to one that is gone
 */
export function machineOfUnit(unit: UnitInfo, machines: readonly MachineInfo[]): MachineInfo {
  const machine = machines.find(({ id }) => id === unit.machineID);
  if (unit.machineID === null) throw new CommandError(`Unit ${unit.name} does not appear to be loaded.`);
  if (machine === undefined)
    throw new CommandError(`machine ${unit.machineID}, which unit ${unit.name} is scheduled to, is gone`);
  return machine;
}

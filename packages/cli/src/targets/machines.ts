import type { MachineInfo, UnitInfo } from "../client/cluster-client.ts";
import { CommandError } from "../errors.ts";

/**
 * The machines that a user means: the one with exactly this ID, else those with this host name or address, else those
 * whose ID begins so.
 */
export function machinesLike(machines: readonly MachineInfo[], typed: string): readonly MachineInfo[] {
  if (typed === "") return [];
  const ways: readonly ((machine: MachineInfo) => boolean)[] = [
    ({ id }) => id === typed,
    ({ hostname, primaryIP }) => hostname === typed || primaryIP === typed,
    // The host name up to its first dot, as people say it.
    ({ hostname }) => hostname?.split(".")[0] === typed,
    ({ id }) => id.startsWith(typed),
  ];
  return ways.map((isMeant) => machines.filter(isMeant)).find((found) => found.length > 0) ?? [];
}

/**
 * The one machine that a user means.
 *
 * @throws CommandError where there is none, or there are several
 */
export function onlyMachine(machines: readonly MachineInfo[], typed: string): MachineInfo {
  const found = machinesLike(machines, typed);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only === undefined) throw new CommandError(`Machine ${typed} does not exist.`);
  throw new CommandError(
    `machine ${JSON.stringify(typed)} is ambiguous: ${found.map(({ id }) => id).join(", ")}; give more of the ID`,
  );
}

/**
 * The machines that a user names, each once, in order.
 *
 * @throws CommandError where one of the names is none, or that of several
 */
export function machinesNamed(machines: readonly MachineInfo[], typed: readonly string[]): readonly MachineInfo[] {
  return [...new Set(typed.map((name) => onlyMachine(machines, name)))];
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
    throw new CommandError(`machine ${unit.machineID}, to which unit ${unit.name} is scheduled, is lost`);
  return machine;
}

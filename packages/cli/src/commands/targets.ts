import { readFileSync } from "node:fs";
import type { MachineInfo, UnitInfo } from "../client/fleet-client.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { shellLine } from "../ssh/quote.ts";
import { readPort } from "../ssh/ssh-command.ts";
import { unitName } from "../units.ts";

/** The machines whose ID begins so. */
export function machinesByPrefix(machines: readonly MachineInfo[], prefix: string): readonly MachineInfo[] {
  const exact = machines.filter(({ id }) => id === prefix);
  return exact.length > 0 ? exact : machines.filter(({ id }) => prefix !== "" && id.startsWith(prefix));
}

/** The one machine whose ID begins so. */
export function onlyMachine(machines: readonly MachineInfo[], prefix: string): MachineInfo {
  const found = machinesByPrefix(machines, prefix);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only === undefined) throw new CommandError(`Machine ${prefix} does not exist.`);
  throw new CommandError(
    `machine ${JSON.stringify(prefix)} is ambiguous: ${found.map(({ id }) => id).join(", ")}; give more of the ID`,
  );
}

/** The machine that a unit is scheduled to. */
export function machineOfUnit(unit: UnitInfo, machines: readonly MachineInfo[]): MachineInfo {
  const machine = machines.find(({ id }) => id === unit.machineID);
  if (unit.machineID === null) throw new CommandError(`Unit ${unit.name} does not appear to be loaded.`);
  if (machine === undefined)
    throw new CommandError(`machine ${unit.machineID}, which unit ${unit.name} is scheduled to, is gone`);
  return machine;
}

/** Runs a command on a machine: here, or over SSH. Returns its exit code. */
export async function runOn(
  context: Context,
  machine: MachineInfo,
  words: readonly string[],
  sshPort: string | undefined,
): Promise<number> {
  const port = sshPort === undefined ? null : readPort(sshPort);
  if (machine.id === context.localMachineID && context.flags.ssh.tunnel === null) return context.run(words);
  return context.ssh.run(sshHostOf(machine), { kind: "command", line: shellLine(words) }, { port });
}

/** Where a machine's SSH server is. */
export function sshHostOf({ id, primaryIP }: MachineInfo): { readonly host: string; readonly port: null } {
  if (primaryIP === "") throw new CommandError(`machine ${id} has no address: set public_ip in its fleet.conf`);
  if (!/^[0-9A-Fa-f.:%]+$/.test(primaryIP) && !/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(primaryIP))
    throw new CommandError(`machine ${id} has ${JSON.stringify(primaryIP)} as its address, which is none`);
  return { host: primaryIP, port: null };
}

/** A unit that must be there. */
export async function knownUnit(context: Context, typed: string): Promise<UnitInfo> {
  const name = unitName(typed);
  const unit = await (await context.client()).unit(name);
  if (unit === null) throw new CommandError(`Unit ${name} does not exist.`);
  return unit;
}

/** The ID of the machine that this runs on; null where it has none. */
export function readLocalMachineID(): string | null {
  try {
    return readFileSync("/etc/machine-id", "utf8").trim() || null;
  } catch {
    return null;
  }
}

import type { MachineInfo } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { sshHostOf } from "../../ssh/run-on-machine.ts";
import { readPort, taskOf } from "../../ssh/ssh-command.ts";
import { machineOfUnit, machinesLike, onlyMachine } from "../../targets/machines.ts";
import { isGlobal, knownUnit, possibleUnitName } from "../../targets/units.ts";

export const ssh: Command = {
  name: "ssh",
  isClassic: true,
  args: "[words...]",
  usage: "[MACHINE|UNIT] [COMMAND...]",
  takesRest: ({ machine, unit }) => (machine === undefined && unit === undefined ? 1 : 0),
  isLook: true,
  summary: "Open an interactive shell on a machine in the cluster",
  description: `Open a shell on a machine, or run a command there, over SSH.

The machine is named by host name, address, or the beginning of its ID, or by a unit that is scheduled to it. The words
of the command are joined with spaces into a line for the remote shell, as ssh does; with --quote each word is passed
unchanged. The exit code is the command's.`,
  flags: [
    { flags: "--machine <machine>", description: "The machine, by host name, address or ID" },
    { flags: "--unit <name>", description: "The machine that this unit is scheduled to" },
    { flags: "--quote", description: "Pass each word of the command unchanged" },
    { flags: "-A, --forward-agent", description: "Forward the SSH agent" },
    { flags: "--ssh-port <port>", description: "Port of the machine's SSH server (default 22)" },
  ],
  examples: [
    "fleetctl ssh 2444264c",
    "fleetctl ssh --unit foo.service",
    "fleetctl ssh foo.service 'journalctl -n 5 | grep error'",
  ],
  completes: "machine-or-unit",
  async run(context, words, flags) {
    const { machine: byMachine, unit: byUnit } = flags as { machine?: string; unit?: string };
    if (byMachine !== undefined && byUnit !== undefined)
      throw new CommandError("--machine and --unit can't be used together; remove one");
    const isNamed = byMachine !== undefined || byUnit !== undefined;
    const [target] = words;
    if (!isNamed && target === undefined) throw new CommandError("no machine or unit given");
    const command = isNamed ? words : words.slice(1);
    const machine = isNamed ? await named(context, byMachine, byUnit) : await machineOrUnit(context, target ?? "");
    const port = flags.sshPort === undefined ? null : readPort(String(flags.sshPort));
    return context.ssh.run(sshHostOf(machine), taskOf(command, flags.quote === true), {
      port,
      forwardAgent: flags.forwardAgent === true,
    });
  },
};

async function named(context: Context, byMachine?: string, byUnit?: string): Promise<MachineInfo> {
  const machines = await (await context.client()).machines();
  return byMachine === undefined ? machineOf(context, byUnit ?? "", machines) : onlyMachine(machines, byMachine);
}

async function machineOf(context: Context, typed: string, machines: readonly MachineInfo[]): Promise<MachineInfo> {
  const unit = await knownUnit(context, typed);
  if (isGlobal(unit)) throw new CommandError(`unit ${unit.name} is global and runs on many machines: name a machine`);
  return machineOfUnit(unit, machines);
}

async function machineOrUnit(context: Context, target: string): Promise<MachineInfo> {
  const client = await context.client();
  const machines = await client.machines();
  const found = machinesLike(machines, target);
  const name = possibleUnitName(target);
  const unit = name === null ? null : await client.unit(name);
  if (unit !== null && found.length > 0) {
    throw new CommandError(`${JSON.stringify(target)} is both a machine and a unit: use --machine or --unit`);
  }
  if (unit !== null) return machineOf(context, target, machines);
  if (found.length > 0) return onlyMachine(machines, target);
  throw new CommandError(`no machine or unit ${JSON.stringify(target)} exists`);
}

import type { MachineInfo, UnitInfo } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { runOn } from "../../ssh/run-on-machine.ts";
import { machineOfUnit, onlyMachine } from "../../targets/machines.ts";
import { isGlobal, knownUnit } from "../../targets/units.ts";

/** Formats that journalctl has had since systemd 236; newer ones are taken too. */
const JOURNAL_FORMATS: readonly string[] = [
  ...["short", "short-full", "short-iso", "short-iso-precise", "short-precise", "short-monotonic", "short-unix"],
  ...["verbose", "export", "json", "json-pretty", "json-sse", "json-seq", "cat", "with-unit"],
];

export const journal: Command = {
  name: "journal",
  isClassic: true,
  args: "<unit>",
  isLook: true,
  summary: "Print the journal of a unit in the cluster to stdout",
  description: `Print the latest lines of a unit's journal, by running journalctl on its machine: here, or over SSH.`,
  flags: [
    { flags: "--lines <n>", description: "Number of lines to show", default: "10" },
    { flags: "-f, --follow", description: "Go on printing lines as they come" },
    {
      flags: "-o, --output <format>",
      description: "Format, as journalctl takes it",
      default: "short",
      values: JOURNAL_FORMATS,
    },
    { flags: "--sudo", description: "Run journalctl with sudo" },
    { flags: "--machine <machine>", description: "Of a global unit: on this machine" },
    { flags: "--ssh-port <port>", description: "Port of the machine's SSH server (default 22)" },
  ],
  examples: ["fleetctl journal foo.service", "fleetctl journal --lines 100 -f foo.service"],
  completes: "unit",
  async run(context, [typed = ""], flags) {
    const lines = String(flags.lines);
    if (!/^\d{1,9}$/.test(lines) && lines !== "all")
      throw new CommandError(`invalid --lines ${JSON.stringify(lines)}: expected a number or all`);
    const output = String(flags.output);
    if (!/^[a-z][a-z-]*$/.test(output))
      throw new CommandError(`invalid --output ${JSON.stringify(output)}: expected a format of journalctl`);
    const unit = await knownUnit(context, typed);
    const machine = await machineFor(context, unit, flags.machine as string | undefined);
    const words = ["journalctl", `--unit=${unit.name}`, "--no-pager", "-n", lines, `--output=${output}`];
    if (flags.follow === true) words.push("-f");
    if (flags.sudo === true) words.unshift("sudo");
    return runOn(context, machine, words, flags.sshPort as string | undefined);
  },
};

async function machineFor(context: Context, unit: UnitInfo, asked: string | undefined): Promise<MachineInfo> {
  const client = await context.client();
  const machines = await client.machines();
  if (!isGlobal(unit)) {
    if (unit.currentState === "inactive") throw new CommandError(`Unit ${unit.name} does not appear to be loaded.`);
    return machineOfUnit(unit, machines);
  }
  const states = await client.states(unit.name);
  const here = machines.filter(({ id }) => states.some(({ machineID }) => machineID === id));
  if (asked !== undefined) return onlyMachine(here, asked);
  const local = here.find(({ id }) => id === context.localMachineID) ?? (here.length === 1 ? here[0] : undefined);
  if (local !== undefined) return local;
  if (here.length === 0) throw new CommandError(`Unit ${unit.name} does not appear to be loaded.`);
  throw new CommandError(`unit ${unit.name} is global and runs on ${here.length} machines: choose one with --machine`);
}

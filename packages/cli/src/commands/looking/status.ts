import type { MachineInfo, StateInfo, UnitInfo } from "../../client/cluster-client.ts";
import type { Command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { machineName } from "../../printing/machine-text.ts";
import { OUTPUT_FLAG, printJson, readOutput } from "../../printing/output.ts";
import { troubleText } from "../../printing/trouble-text.ts";
import { runOn } from "../../ssh/run-on-machine.ts";
import { onlyMachine } from "../../targets/machines.ts";
import { hintFor, isGlobal, unitNames } from "../../targets/units.ts";

export const status: Command = {
  name: "status",
  isClassic: true,
  args: "[unit...]",
  usage: "<unit...>",
  saidOfNone: "",
  isLook: true,
  summary: "Output the status of one or more units in the cluster",
  description: `Print what systemd says of units, by running "systemctl status -l" on their machines: here, or over SSH.

What fleet or systemd says against a unit is told on standard error. A global unit is shown on each of its machines. The exit code is systemctl's; of several units the first other than 0.`,
  flags: [
    { flags: "--machine <machine>", description: "Of a global unit: only on this machine" },
    { flags: "--ssh-port <port>", description: "Port of the machines' SSH servers (default 22)" },
    { flags: "--no-block", description: "Accepted and without effect", isHidden: true },
    OUTPUT_FLAG,
  ],
  examples: ["fleetctl status foo.service", "fleetctl status --output json web@{1..3}"],
  completes: "unit",
  async run(context, args, flags) {
    const isJson = readOutput(flags);
    const client = await context.client();
    const names = unitNames(args);
    const machines = await client.machines();
    const found: { unit: UnitInfo; states: readonly StateInfo[] }[] = [];
    for (const name of names) {
      const unit = await client.unit(name);
      if (unit === null) throw new CommandError(`Unit ${name} does not exist.${await hintFor(context, name)}`);
      found.push({ unit, states: await client.states(name) });
    }
    if (isJson) {
      printJson(context, found.map(asJson));
      return 0;
    }
    const byID = new Map(machines.map((machine) => [machine.id, machine]));
    let exitCode = 0;
    let isFirst = true;
    for (const { unit, states } of found) {
      for (const machine of machinesOf(context, unit, states, machines, flags.machine as string | undefined)) {
        if (!isFirst) context.out("");
        isFirst = false;
        const words = ["systemctl", "status", "-l", "--no-pager", "--", unit.name];
        for (const state of states) {
          const trouble = state.machineID === machine.id ? troubleText(state) : null;
          if (trouble !== null) context.err(`Unit ${unit.name} on ${machineName(machine.id, byID)}: ${trouble}`);
        }
        const code = await runOn(context, machine, words, flags.sshPort as string | undefined);
        if (exitCode === 0) exitCode = code;
      }
    }
    return exitCode;
  },
};

/** The machines on which there is something to show of a unit. */
function machinesOf(
  context: Context,
  unit: UnitInfo,
  states: readonly StateInfo[],
  machines: readonly MachineInfo[],
  asked: string | undefined,
): readonly MachineInfo[] {
  const here = states.flatMap((state) => machines.find(({ id }) => id === state.machineID) ?? []);
  if (isGlobal(unit)) {
    if (here.length === 0) throw notLoaded(context, unit, states);
    if (asked === undefined) return here;
    return [onlyMachine(here, asked)];
  }
  const machine = here.find(({ id }) => id === unit.machineID);
  if (machine === undefined || unit.currentState === "inactive") throw notLoaded(context, unit, states);
  return [machine];
}

function notLoaded(context: Context, { name, machineID }: UnitInfo, states: readonly StateInfo[]): CommandError {
  const error = states.find((state) => state.error !== null && (machineID === null || state.machineID === machineID));
  context.err(`Unit ${name} does not appear to be loaded.`);
  return new CommandError(
    error === undefined
      ? `"fleetctl explain ${name}" says why`
      : `machine ${error.machineID} could not load it: ${error.error}`,
  );
}

function asJson({ unit, states }: { unit: UnitInfo; states: readonly StateInfo[] }): unknown {
  const { name, desiredState, currentState, machineID } = unit;
  return { unit: name, desiredState, currentState, machineID, global: isGlobal(unit), states };
}

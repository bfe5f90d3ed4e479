import { hashUnitFile } from "@fleet/domain/unit";
import type { MachineInfo, UnitInfo } from "../../client/cluster-client.ts";
import { machinesByID } from "../../client/find.ts";
import type { Command } from "../../command.ts";
import { type Columns, listFlags, printList, readListOptions } from "../../printing/list.ts";
import { machineLegend } from "../../printing/machine-text.ts";
import { isGlobal } from "../../targets/units.ts";

const FIELDS = "unit,hash,dstate,state,target";

export const listUnitFiles: Command = {
  name: "list-unit-files",
  isClassic: true,
  args: "",
  isLook: true,
  summary: "List the units that exist in the cluster",
  description: `List all units of the cluster, with their desired and current state.

Fields: unit, hash, dstate, state, target, global, desc.`,
  flags: listFlags(FIELDS),
  examples: ["fleetctl list-unit-files", "fleetctl list-unit-files --fields=unit,dstate,state"],
  async run(context, _args, flags) {
    const options = readListOptions(columns(new Map()), flags);
    if (options.fields.includes("tmachine")) context.err("WARNING: The field tmachine is deprecated: use target.");
    const client = await context.client();
    const [units, machines] = await Promise.all([client.units(), machinesByID(client)]);
    printList(context, columns(machines), units, options, asJson);
    return 0;
  },
};

function columns(machines: ReadonlyMap<string, MachineInfo>): Columns<UnitInfo> {
  const target = (unit: UnitInfo, full: boolean): string => {
    if (isGlobal(unit)) return "global";
    return unit.machineID === null ? "" : machineLegend(unit.machineID, machines, full);
  };
  return {
    unit: ({ name }) => name,
    hash: ({ options }, full) => (full ? hashUnitFile(options) : hashUnitFile(options).slice(0, 7)),
    dstate: ({ desiredState }) => desiredState,
    state: (unit) => (isGlobal(unit) ? "" : (unit.currentState ?? "")),
    target,
    tmachine: target,
    global: (unit) => String(isGlobal(unit)),
    desc: ({ options }) => description(options),
  };
}

function asJson(unit: UnitInfo): unknown {
  return {
    unit: unit.name,
    hash: hashUnitFile(unit.options),
    dstate: unit.desiredState,
    state: isGlobal(unit) ? null : unit.currentState,
    target: unit.machineID,
    global: isGlobal(unit),
    desc: description(unit.options) || null,
  };
}

function description(options: UnitInfo["options"]): string {
  const texts = options.filter(({ section, name }) => section === "Unit" && name === "Description");
  return texts.at(-1)?.value.replace(/\s+/g, " ") ?? "";
}

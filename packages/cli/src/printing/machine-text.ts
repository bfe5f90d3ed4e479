import type { MachineInfo } from "../client/cluster-client.ts";

/** A machine's ID as tables show it: the first eight digits, or all. */
export function machineID(id: string, full: boolean): string {
  return full || id.length <= 8 ? id : `${id.slice(0, 8)}...`;
}

/** `ID/IP`, or the ID alone where the address is not known. */
export function machineLegend(id: string, machines: ReadonlyMap<string, MachineInfo>, full: boolean): string {
  const ip = machines.get(id)?.primaryIP ?? "";
  return ip === "" ? machineID(id, full) : `${machineID(id, full)}/${ip}`;
}

/** What people call a machine: its host name, or `ID/IP` where that is not known. */
export function machineName(id: string, machines: ReadonlyMap<string, MachineInfo>): string {
  return machines.get(id)?.hostname ?? machineLegend(id, machines, false);
}

/** A sentence of the server's with the names of machines, where they are known, in place of their whole IDs. */
export function withNames(text: string, machines: ReadonlyMap<string, MachineInfo>): string {
  return text.replace(/\b[0-9a-f]{32}\b/g, (id) => machines.get(id)?.hostname ?? id);
}

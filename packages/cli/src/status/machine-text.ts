import type { UsageSample } from "@fleet/client";
import type { MachineInfo, StateInfo } from "../client/cluster-client.ts";
import { bytesText, spanText } from "../printing/amounts.ts";
import { machineID } from "../printing/machine-text.ts";
import { troubleText } from "../printing/trouble-text.ts";
import { below, row } from "./unit-text.ts";

/**
 * A machine: what it is, what it uses, and its units by state, those in trouble with why.
 *
 * @param sample null: it could not be asked
 * @param states of its units
 */
export function machineStatusLines(
  machine: MachineInfo,
  sample: UsageSample | null,
  states: readonly StateInfo[],
  hasColors: boolean,
): readonly string[] {
  const { id, primaryIP, hostname, version, metadata, state, since } = machine;
  const labels = Object.entries(metadata).map(([key, value]) => `${key}=${value}`);
  const troubles = states.flatMap((unit) => {
    const trouble = troubleText(unit);
    return trouble === null ? [] : [`${unit.name}: ${trouble}`];
  });
  const isFine = state === null && troubles.length === 0;
  const dot = hasColors ? `\u001b[${isFine ? 32 : 33}m●\u001b[0m` : "●";
  return [
    `${dot} ${hostname ?? machineID(id, false)}`,
    row("Machine", id),
    row("State", since === null ? (state ?? "ready") : `${state ?? "ready"} since ${since}`),
    ...(primaryIP === "" ? [] : [row("Address", primaryIP)]),
    ...(version === null ? [] : [row("Version", version)]),
    ...(labels.length === 0 ? [] : [row("Metadata", labels.sort().join(","))]),
    ...(sample === null ? [] : usageRows(sample)),
    row("Units", unitsText(states)),
    ...troubles.map((trouble) => below(trouble)),
  ];
}

function usageRows({ error, uptimeSeconds, load, cpus, memory, pressure }: UsageSample): readonly string[] {
  if (error !== undefined) return [row("Usage", error)];
  const rows: string[] = [];
  if (uptimeSeconds !== undefined) rows.push(row("Uptime", spanText(uptimeSeconds)));
  if (load !== undefined) {
    const of = cpus === undefined ? "" : ` (${cpus} ${cpus === 1 ? "CPU" : "CPUs"})`;
    rows.push(row("Load", `${load.map((value) => value.toFixed(2)).join(", ")}${of}`));
  }
  if (memory !== undefined) {
    const used = memory.totalBytes - memory.availableBytes;
    const share = memory.totalBytes === 0 ? 0 : Math.round((used / memory.totalBytes) * 100);
    rows.push(row("Memory", `${bytesText(used)} of ${bytesText(memory.totalBytes)} (${share} %)`));
    if (memory.swapTotalBytes > 0)
      rows.push(
        row(
          "Swap",
          `${bytesText(memory.swapTotalBytes - memory.swapFreeBytes)} of ${bytesText(memory.swapTotalBytes)}`,
        ),
      );
  }
  const kinds = (["cpu", "memory", "io"] as const).flatMap((kind) => {
    const some = pressure?.[kind]?.some10;
    return some === undefined ? [] : [`${kind} ${some.toFixed(1)} %`];
  });
  if (kinds.length > 0) rows.push(row("Pressure", `${kinds.join(", ")} of the last 10 s`));
  return rows;
}

function unitsText(states: readonly StateInfo[]): string {
  const bySub = [...Map.groupBy(states, ({ sub, active }) => sub || active || "unknown")]
    .map(([name, units]) => ({ name, count: units.length }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
  return [String(states.length), ...bySub.map(({ name, count }) => `${count} ${name}`)].join(", ").replace(", ", ": ");
}

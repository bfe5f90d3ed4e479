import type { UsageSample } from "@fleet/client";
import type { MachineInfo } from "../client/cluster-client.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { linesOn } from "../ssh/run-on-machine.ts";

const FILES = ["loadavg", "uptime", "meminfo", "pressure/cpu", "pressure/memory", "pressure/io"];
const KIB = 1024;

/** What a machine uses, as its /proc tells it over SSH. */
export async function usageOverSsh(
  context: Context,
  machine: MachineInfo,
  sshPort: string | undefined,
): Promise<UsageSample> {
  const words = ["grep", "-sH", "", ...FILES.map((file) => `/proc/${file}`)];
  const lines: string[] = [];
  try {
    for await (const line of linesOn(context, machine, words, sshPort, context.signal)) lines.push(line);
  } catch (error) {
    // A kernel without pressure has grep end with 2, after all that there is.
    if (!(error instanceof CommandError)) throw error;
    if (lines.length === 0) return { machineID: machine.id, error: error.message };
  }
  return usageOf(machine.id, lines);
}

/**
 * Reads lines of files of /proc.
 *
 * @param lines each with the file's path and a colon before it
 */
export function usageOf(machineID: string, lines: readonly string[]): UsageSample {
  const of = (file: string): readonly string[] =>
    lines.flatMap((line) => (line.startsWith(`/proc/${file}:`) ? [line.slice(file.length + 7)] : []));
  const bytes = (name: string): number => {
    const found = of("meminfo").find((line) => line.startsWith(`${name}:`));
    return Number(/\d+/.exec(found ?? "")?.[0] ?? 0) * KIB;
  };
  const some10 = (kind: string): number | undefined => {
    const value = /^some avg10=([\d.]+)/.exec(of(`pressure/${kind}`)[0] ?? "")?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const [load] = of("loadavg");
  const [uptime] = of("uptime");
  const pressure = (["cpu", "memory", "io"] as const).flatMap((kind) => {
    const value = some10(kind);
    return value === undefined ? [] : [[kind, { some10: value }] as const];
  });
  return {
    machineID,
    ...(load === undefined ? {} : { load: load.split(" ").slice(0, 3).map(Number) }),
    ...(uptime === undefined ? {} : { uptimeSeconds: Number.parseFloat(uptime) }),
    memory: {
      totalBytes: bytes("MemTotal"),
      availableBytes: bytes("MemAvailable"),
      swapTotalBytes: bytes("SwapTotal"),
      swapFreeBytes: bytes("SwapFree"),
    },
    ...(pressure.length === 0 ? {} : { pressure: Object.fromEntries(pressure) }),
  };
}

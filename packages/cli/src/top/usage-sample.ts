import type { UnitUsage as UnitFigures, UsageSample } from "@fleet/client";

/** What a machine told, whole. */
export interface MachineSample {
  readonly machineID: string;
  readonly hostname: string | null;
  /** By its own clock, which never goes back while it is up. */
  readonly monotonicMs: number;
  readonly cpus: number;
  /** Over one minute. */
  readonly load: number;
  readonly cpuBusyMs: number;
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number };
  /** Percent of the last ten seconds; null: its kernel does not tell. */
  readonly pressure: { readonly cpu: number; readonly memory: number; readonly io: number } | null;
  readonly units: readonly UnitFigures[];
}

/** A machine that told nothing, and why. */
export interface NoSample {
  readonly machineID: string;
  readonly hostname: string | null;
  readonly error: string;
}

/** Reads a sample as it came; one that lacks what every agent tells is none. */
export function readSample(sample: UsageSample): MachineSample | NoSample {
  const { machineID, hostname = null, error, monotonicMs, cpus, load, cpuBusyMs, memory, pressure, units } = sample;
  if (error !== undefined) return { machineID, hostname, error };
  const [one] = load ?? [];
  if (
    monotonicMs === undefined ||
    cpus === undefined ||
    one === undefined ||
    cpuBusyMs === undefined ||
    memory === undefined
  )
    return { machineID, hostname, error: "its agent sent too few figures: it may be of another version" };
  const { cpu, memory: ofMemory, io } = pressure ?? {};
  return {
    ...{ machineID, hostname, monotonicMs, cpus, load: one, cpuBusyMs, memory, units: units ?? [] },
    pressure:
      cpu === undefined || ofMemory === undefined || io === undefined
        ? null
        : { cpu: cpu.some10, memory: ofMemory.some10, io: io.some10 },
  };
}

import type { UnitUsage, UsageSample } from "@fleet/client";

/** A machine's sample with ordinary figures, and what a test wants of it. */
export function usageSample(changes: Partial<UsageSample> = {}): UsageSample {
  return {
    machineID: "1".repeat(32),
    hostname: "h1",
    at: "2026-01-01T00:00:00.000Z",
    monotonicMs: 1000,
    uptimeSeconds: 60,
    cpus: 2,
    load: [0.5, 0.4, 0.3],
    cpuBusyMs: 100,
    memory: { totalBytes: 4 * 1024 ** 3, availableBytes: 3 * 1024 ** 3, swapTotalBytes: 0, swapFreeBytes: 0 },
    pressure: { cpu: { some10: 1.5 }, memory: { some10: 0, full10: 0 }, io: { some10: 0.2, full10: 0.1 } },
    units: [],
    ...changes,
  };
}

/** A unit of a sample. */
export function unitSample(name: string, changes: Partial<UnitUsage> = {}): UnitUsage {
  return { name, active: "active", sub: "running", cpuMs: 0, memoryBytes: 1024 ** 2, tasks: 1, ...changes };
}

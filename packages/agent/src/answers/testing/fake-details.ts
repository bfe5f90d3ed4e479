import type { UnitDetails } from "../../systemd/unit-details.ts";

/** systemd's details of units where it has nothing to tell, but for what a test changes. */
export function fakeDetails(change: Partial<UnitDetails> = {}): UnitDetails {
  return {
    properties: async () => new Map(),
    processes: async () => [],
    states: async () => new Map(),
    figures: async () => ({ cpuNs: null, memoryBytes: null, tasks: null, ioReadBytes: null, ioWriteBytes: null }),
    foreignPath: async () => null,
    close: () => undefined,
    ...change,
  };
}

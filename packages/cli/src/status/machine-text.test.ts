import { describe, expect, it } from "vitest";
import type { MachineInfo, StateInfo } from "../client/cluster-client.ts";
import { machineStatusLines } from "./machine-text.ts";

const machine: MachineInfo = {
  ...{ id: "113f16a7aaaaaaaaaaaaaaaaaaaaaaaa", primaryIP: "192.0.2.9", hostname: "h1", version: "2.0.0" },
  ...{ metadata: { rack: "7", disk: "ssd" }, state: "cordoned", since: null },
};
const up: StateInfo = {
  ...{ name: "a.service", hash: "", machineID: machine.id, load: "loaded", active: "active", sub: "running" },
  ...{ error: null, current: "launched", run: null },
};
const failed: StateInfo = {
  ...{ ...up, name: "b.service", active: "failed", sub: "failed" },
  run: { result: "exit-code", exitStatus: 2, exitSignal: null, restarts: 0 },
};
const GIB = 1024 ** 3;

describe("a machine's status", () => {
  it("has what it is, what it uses, and its units by state", () => {
    const sample = {
      ...{ machineID: machine.id, uptimeSeconds: 90_000, cpus: 2, load: [0.5, 0.25, 0] },
      memory: { totalBytes: 4 * GIB, availableBytes: 3 * GIB, swapTotalBytes: GIB, swapFreeBytes: GIB },
      pressure: { cpu: { some10: 1.25 }, io: { some10: 0 } },
    };
    expect(machineStatusLines(machine, sample, [up, { ...up, name: "c.service" }, failed], false)).toEqual([
      "● h1",
      "    Machine: 113f16a7aaaaaaaaaaaaaaaaaaaaaaaa",
      "      State: cordoned",
      "    Address: 192.0.2.9",
      "    Version: 2.0.0",
      "   Metadata: disk=ssd,rack=7",
      "     Uptime: 1 day 1h",
      "       Load: 0.50, 0.25, 0.00 (2 CPUs)",
      "     Memory: 1.0G of 4.0G (25 %)",
      "       Swap: 0B of 1.0G",
      "   Pressure: cpu 1.3 %, io 0.0 % of the last 10 s",
      "      Units: 3: 2 running, 1 failed",
      "             b.service: failed: exit status 2 (exit-code)",
    ]);
  });
  it("says why a machine gives no figures", () => {
    const lines = machineStatusLines(machine, { machineID: machine.id, error: "h1 does not answer" }, [], false);
    expect(lines).toContain("      Usage: h1 does not answer");
    expect(lines).toContain("      Units: 0");
  });
});

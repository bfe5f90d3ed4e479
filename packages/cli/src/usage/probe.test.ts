import { execFileSync } from "node:child_process";
import type { UsageSample } from "@fleet/client";
import { describe, expect, it } from "vitest";
import { ProbeReader, probeCommand } from "./probe.ts";

function samplesIn(lines: readonly string[]): readonly UsageSample[] {
  const reader = new ProbeReader({ machineID: "m1", hostname: "h1" });
  return lines.flatMap((line) => reader.take(line) ?? []);
}

describe("what a machine prints over SSH", () => {
  it("are as many samples as were asked for, with what this kernel tells", () => {
    const [program = "", ...args] = probeCommand({ units: [], intervalMs: 10, count: 2 });
    const samples = samplesIn(execFileSync(program, args, { encoding: "utf8" }).trimEnd().split("\n"));
    expect(samples).toHaveLength(2);
    for (const { machineID, hostname, monotonicMs = 0, cpus = 0, cpuBusyMs = 0, load, memory, units } of samples) {
      expect({ machineID, hostname, units }).toEqual({ machineID: "m1", hostname: "h1", units: [] });
      expect(Math.min(monotonicMs, cpus, cpuBusyMs, memory?.totalBytes ?? 0)).toBeGreaterThan(0);
      expect(load).toHaveLength(3);
    }
  });
  it("has the figures of machine and units in their places", () => {
    const lines = [
      ...["/proc/loadavg:0.50 0.25 0.00 1/123 456", "/proc/uptime:90000.12 1.0"],
      ...["/proc/meminfo:MemTotal:        4194304 kB", "/proc/meminfo:MemAvailable:    3145728 kB"],
      "/proc/pressure/cpu:some avg10=1.25 avg60=0.00 avg300=0.00 total=1",
      ...["/proc/stat:cpu  100 0 0 900 0 0 0 0 0 0", "/proc/stat:cpu0 100 0 0 900 0 0 0 0 0 0"],
      ...["Id=a.service", "ActiveState=active", "SubState=running", "CPUUsageNSec=1500000", "MemoryCurrent=4096"],
      ...["TasksCurrent=2", "IOReadBytes=18446744073709551615", "IOWriteBytes=[not set]", ""],
      ...["Id=b.service", "ActiveState=failed", "SubState=failed", "CPUUsageNSec=[not set]", "--"],
    ];
    expect(samplesIn(lines)).toEqual([
      {
        ...{ machineID: "m1", hostname: "h1", uptimeSeconds: 90_000.12, monotonicMs: 90_000_120 },
        ...{ load: [0.5, 0.25, 0], cpus: 1, cpuBusyMs: 1000, pressure: { cpu: { some10: 1.25 } } },
        memory: { totalBytes: 4 * 1024 ** 3, availableBytes: 3 * 1024 ** 3, swapTotalBytes: 0, swapFreeBytes: 0 },
        units: [
          { name: "a.service", active: "active", sub: "running", cpuMs: 1.5, memoryBytes: 4096, tasks: 2 },
          { name: "b.service", active: "failed", sub: "failed" },
        ],
      },
    ]);
  });
});

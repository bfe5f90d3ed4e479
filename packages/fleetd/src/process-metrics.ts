import { readdirSync, readFileSync } from "node:fs";
import { Counter, Gauge, type Registry as Metrics } from "prom-client";

/** Adds a gauge whose value is read whenever metrics are asked for. */
export function addGauge(metrics: Metrics, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [metrics],
    collect() {
      this.set(read());
    },
  });
}

/** Adds the metrics of the process, by the names that Prometheus gives them in every program and that the old fleet had. */
export function addProcessMetrics(metrics: Metrics): void {
  const registers = [metrics];
  const gauge = (name: string, help: string, read: () => number): void => addGauge(metrics, name, help, read);
  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU seconds of the process.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const startedAt = Date.now() / 1000 - process.uptime();
  gauge("process_start_time_seconds", "Unix time at which the process started.", () => startedAt);
  gauge("process_resident_memory_bytes", "Resident memory of the process.", () => process.memoryUsage.rss());
  gauge("process_virtual_memory_bytes", "Virtual memory of the process.", () =>
    numberIn("/proc/self/status", /^VmSize:\s+(\d+) kB$/m, 1024),
  );
  gauge("process_open_fds", "File descriptors that are open.", () => readdirSync("/proc/self/fd").length);
  gauge("process_max_fds", "File descriptors that may be open.", () =>
    numberIn("/proc/self/limits", /^Max open files\s+(\d+)/m, 1),
  );
}

/** A number in a file of /proc; NaN where it has none, as where there is no limit. */
function numberIn(path: string, pattern: RegExp, unit: number): number {
  return Number(pattern.exec(readFileSync(path, "utf8"))?.[1]) * unit;
}

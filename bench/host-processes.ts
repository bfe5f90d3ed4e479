// Processes of hosts, and what they use.
import { readFileSync } from "node:fs";
import type { LocalCluster } from "../deploy/local-cluster/cluster.ts";

/** Clock ticks a second in /proc/PID/stat: the same on every Linux machine that Node runs on. */
const CLOCK_TICKS = 100;

/** A process on a host, by its number on this machine. */
export interface HostProcess {
  readonly label: string;
  readonly pid: number;
}

/** The daemons of all hosts, with their processes as this machine sees them. */
export async function daemons(cluster: LocalCluster): Promise<readonly HostProcess[]> {
  const found: HostProcess[] = [];
  for (const host of cluster.network.hosts.values()) {
    for (const [service, label] of [
      ["fleet-agent", "agent"],
      ["fleet-engine", "engine"],
      ["fleet-api", "api"],
      ["fleet", "fleetd"],
    ] as const) {
      const inner = (
        await cluster.network.exec(host.index, ["systemctl", "show", "-P", "MainPID", service])
      ).stdout.trim();
      if (inner === "" || inner === "0") continue;
      const pid = pidOnThisMachine(host.pid, Number(inner));
      if (pid !== null) found.push({ label: `${label} ${host.name}`, pid });
    }
  }
  return found;
}

/** A process of a host by its number there, as this machine numbers it. */
function pidOnThisMachine(init: number, inner: number): number | null {
  const children = (pid: number): number[] => {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  };
  for (const pid of children(init)) {
    const ids = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]?.split(/\s+/) ?? [];
    if (Number(ids.at(-1)) === inner) return pid;
  }
  return null;
}

/** CPU time that a process has used. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

/** Memory of a process that is resident, in MiB. */
export function residentMB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

import type { UnitUsage, UsageSample } from "@fleet/client";
import { cpuFigures, loadFigures, MACHINE_FILES, memoryFigures, pressureFigures } from "@fleet/domain/usage";

/** What is measured of a machine, and how often. */
export interface Probe {
  /** Units of which systemd is asked. */
  readonly units: readonly string[];
  /** Milliseconds between samples. */
  readonly intervalMs: number;
  /** How many samples; 0: without end. */
  readonly count: number;
}

const PROPERTIES = [
  ...["Id", "ActiveState", "SubState", "CPUUsageNSec", "MemoryCurrent", "TasksCurrent"],
  ...["IOReadBytes", "IOWriteBytes"],
];
/** Ends the lines of a sample. */
const END = "--";
const { stat, ...WHOLE_FILES } = MACHINE_FILES;
/** Kernels lack some of these files. A line of a file has its path and a colon before it. */
const SCRIPT = `left=$1 pause=$2; shift 2
while :; do
  grep -sH "" ${Object.values(WHOLE_FILES).join(" ")}
  grep -sH "^cpu" ${stat}
  [ $# -eq 0 ] || systemctl show --property=${PROPERTIES.join(",")} -- "$@"
  echo "${END}"
  [ "$left" -ne 1 ] || exit 0
  left=$((left - 1))
  sleep "$pause"
done`;

/** The command that prints samples on a machine. */
export function probeCommand({ units, intervalMs, count }: Probe): readonly string[] {
  return ["sh", "-c", SCRIPT, "sh", String(count), String(intervalMs / 1000), ...units];
}

/** Reads what the command prints, line by line. */
export class ProbeReader {
  readonly #machine: Pick<UsageSample, "machineID" | "hostname">;
  #lines: string[] = [];

  constructor(machine: Pick<UsageSample, "machineID" | "hostname">) {
    this.#machine = machine;
  }

  /** The sample that a line ends; null: it ends none. */
  take(line: string): UsageSample | null {
    if (line !== END) {
      this.#lines.push(line);
      return null;
    }
    const sample = { ...this.#machine, ...machineFigures(this.#lines), units: unitFigures(this.#lines) };
    this.#lines = [];
    return sample;
  }
}

function machineFigures(lines: readonly string[]): Omit<UsageSample, "machineID"> {
  const textOf = (path: string): string =>
    lines.flatMap((line) => (line.startsWith(`${path}:`) ? [line.slice(path.length + 1)] : [])).join("\n");
  const uptimeSeconds = Number.parseFloat(textOf(MACHINE_FILES.uptime));
  const cpu = cpuFigures(textOf(MACHINE_FILES.stat));
  const load = textOf(MACHINE_FILES.load);
  const pressure = Object.entries({
    cpu: pressureFigures(textOf(MACHINE_FILES.cpuPressure)),
    memory: pressureFigures(textOf(MACHINE_FILES.memoryPressure)),
    io: pressureFigures(textOf(MACHINE_FILES.ioPressure)),
  }).filter(([, figures]) => figures !== null);
  return {
    ...(Number.isNaN(uptimeSeconds) ? {} : { uptimeSeconds, monotonicMs: uptimeSeconds * 1000 }),
    ...(load === "" ? {} : { load: [...loadFigures(load)] }),
    ...{ cpus: cpu.cpus, cpuBusyMs: cpu.busyMs, memory: memoryFigures(textOf(MACHINE_FILES.memory)) },
    ...(pressure.length === 0 ? {} : { pressure: Object.fromEntries(pressure) }),
  };
}

/** The units of `systemctl show`: a block of properties each, parted by empty lines. */
function unitFigures(lines: readonly string[]): readonly UnitUsage[] {
  const blocks: Map<string, string>[] = [];
  for (const line of lines) {
    const at = line.startsWith("/") ? -1 : line.indexOf("=");
    const [name, value] = [line.slice(0, at), line.slice(at + 1)];
    const last = blocks.at(-1);
    if (at > 0 && (last === undefined || last.has(name))) blocks.push(new Map([[name, value]]));
    else if (at > 0) last?.set(name, value);
  }
  return blocks.map((block) => {
    const number = (name: string): number | null => countOf(block.get(name));
    const given = {
      ...{ cpuMs: scaled(number("CPUUsageNSec"), 1e-6), memoryBytes: number("MemoryCurrent") },
      ...{ tasks: number("TasksCurrent"), ioReadBytes: number("IOReadBytes"), ioWriteBytes: number("IOWriteBytes") },
    };
    return {
      ...{ name: block.get("Id") ?? "", active: block.get("ActiveState") ?? "", sub: block.get("SubState") ?? "" },
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)),
    };
  });
}

/** A count; null: systemd does not keep it, which it also says by the largest number that there is. */
function countOf(text: string | undefined): number | null {
  return text === undefined || !/^\d+$/.test(text) || BigInt(text) === 2n ** 64n - 1n ? null : Number(text);
}

function scaled(value: number | null, by: number): number | null {
  return value === null ? null : value * by;
}

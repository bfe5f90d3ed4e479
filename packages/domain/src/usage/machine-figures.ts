/** Memory in bytes. */
export interface MemoryFigures {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
}

/** Percent of the last ten seconds in which some, and all, tasks waited. */
export interface PressureFigures {
  readonly some10: number;
  readonly full10?: number;
}

/** Files of the kernel that tell what a machine uses. */
export const MACHINE_FILES = {
  stat: "/proc/stat",
  memory: "/proc/meminfo",
  load: "/proc/loadavg",
  uptime: "/proc/uptime",
  cpuPressure: "/proc/pressure/cpu",
  memoryPressure: "/proc/pressure/memory",
  ioPressure: "/proc/pressure/io",
} as const;

/** Milliseconds of one tick of the kernel's CPU counters: USER_HZ is 100 on every Linux. */
const TICK_MS = 10;

/** Milliseconds for which all CPUs together have been busy, and how many CPUs there are, by /proc/stat. */
export function cpuFigures(text: string): { readonly busyMs: number; readonly cpus: number } {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    /^cpu .*$/m.exec(text)?.[0].split(/\s+/) ?? []
  ).map(Number);
  // The guests' time is within that of the user.
  const ticks = user + nice + system + irq + softirq + steal;
  return { busyMs: ticks * TICK_MS, cpus: text.match(/^cpu\d+ /gm)?.length ?? 1 };
}

/** Memory by /proc/meminfo. */
export function memoryFigures(text: string): MemoryFigures {
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  return {
    totalBytes: bytes("MemTotal"),
    availableBytes: bytes("MemAvailable"),
    swapTotalBytes: bytes("SwapTotal"),
    swapFreeBytes: bytes("SwapFree"),
  };
}

/** Load over 1, 5 and 15 minutes by /proc/loadavg. */
export function loadFigures(text: string): readonly number[] {
  return text.split(" ", 3).map(Number);
}

/** Pressure by a file of /proc/pressure; null: it has none. */
export function pressureFigures(text: string): PressureFigures | null {
  const average = (kind: string): number | null => {
    const found = new RegExp(`^${kind} avg10=([\\d.]+)`, "m").exec(text)?.[1];
    return found === undefined ? null : Number(found);
  };
  const some10 = average("some");
  const full10 = average("full");
  return some10 === null ? null : { some10, ...(full10 === null ? {} : { full10 }) };
}

import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { AT_REST, unitNameProblem } from "@fleet/domain/unit";
import { cpuFigures, loadFigures, MACHINE_FILES, memoryFigures, pressureFigures } from "@fleet/domain/usage";
import type { Answer, UnitUsage, UsageQuestion, UsageSample } from "@fleet/link";
import type { UnitDetails, UnitFigures } from "../systemd/unit-details.ts";

/** Where samples are taken. */
export interface UsageOptions {
  readonly unitsDirectory: string;
  readonly connectDetails: () => Promise<UnitDetails>;
}

const LEAST_INTERVAL_MS = 200;
const MOST_INTERVAL_MS = 60_000;
const NS_PER_MS = 1e6;

/** What this machine and fleet's units on it use, again and again. */
export async function* readUsage(
  { intervalMs, count }: UsageQuestion,
  signal: AbortSignal,
  { unitsDirectory, connectDetails }: UsageOptions,
): AsyncGenerator<Answer, void> {
  const pauseMs = Math.min(MOST_INTERVAL_MS, Math.max(LEAST_INTERVAL_MS, intervalMs));
  const details = await connectDetails();
  try {
    for (let taken = 1; !signal.aborted; taken++) {
      yield { usage: await sample(unitsDirectory, details) };
      if (taken === count) return;
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    details.close();
  }
}

async function sample(unitsDirectory: string, details: UnitDetails): Promise<UsageSample> {
  const units = await unitsUsage(unitsDirectory, details);
  const [stat, memory, load, uptime] = await Promise.all(
    [MACHINE_FILES.stat, MACHINE_FILES.memory, MACHINE_FILES.load, MACHINE_FILES.uptime].map(read),
  );
  const [cpuPressure, memoryPressure, ioPressure] = await Promise.all(
    [MACHINE_FILES.cpuPressure, MACHINE_FILES.memoryPressure, MACHINE_FILES.ioPressure].map(async (path) =>
      pressureFigures(await read(path)),
    ),
  );
  const { busyMs, cpus } = cpuFigures(stat ?? "");
  return {
    atMs: Date.now(),
    monotonicMs: Number(process.hrtime.bigint()) / NS_PER_MS,
    uptimeSeconds: Number((uptime ?? "").split(" ", 1)[0]),
    cpus,
    load: loadFigures(load ?? ""),
    cpuBusyMs: busyMs,
    memory: memoryFigures(memory ?? ""),
    ...(cpuPressure == null ? {} : { cpuPressure }),
    ...(memoryPressure == null ? {} : { memoryPressure }),
    ...(ioPressure == null ? {} : { ioPressure }),
    units,
  };
}

/** Fleet's units that are on this machine. */
async function unitsUsage(unitsDirectory: string, details: UnitDetails): Promise<readonly UnitUsage[]> {
  const files = await readdir(unitsDirectory).catch(() => []);
  const names = files.filter((name) => unitNameProblem(name) === null).sort();
  const states = await details.states(names);
  return Promise.all(
    names.map(async (name) => {
      const { active, sub } = states.get(name) ?? { active: "inactive", sub: "dead" };
      return { name, active, sub, ...(AT_REST.has(active) ? {} : figures(await details.figures(name))) };
    }),
  );
}

/** Figures of systemd as those of the contract; what it does not account is left out. */
export function figures(unit: UnitFigures): Omit<UnitUsage, "name" | "active" | "sub"> {
  const { cpuNs, memoryBytes, tasks, ioReadBytes, ioWriteBytes } = unit;
  return {
    ...(cpuNs === null ? {} : { cpuMs: Number(cpuNs) / NS_PER_MS }),
    ...(memoryBytes === null ? {} : { memoryBytes: Number(memoryBytes) }),
    ...(tasks === null ? {} : { tasks: Number(tasks) }),
    ...(ioReadBytes === null ? {} : { ioReadBytes: Number(ioReadBytes) }),
    ...(ioWriteBytes === null ? {} : { ioWriteBytes: Number(ioWriteBytes) }),
  };
}

/** A file of the kernel; empty where it has none. */
async function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}

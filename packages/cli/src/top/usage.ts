import type { UsageSample } from "@fleet/client";
import { type MachineSample, type NoSample, readSample } from "./usage-sample.ts";

/** What is shown of a machine: rates are since the sample before, null where there is none yet. */
export interface MachineUsage {
  readonly id: string;
  readonly hostname: string | null;
  /** Why nothing is known of it now; null: the figures are as it told them. */
  readonly error: string | null;
  /** Percent of one core: 200 is two cores at work. */
  readonly cpu: number | null;
  readonly cpus: number;
  /** Over one minute. */
  readonly load: number | null;
  readonly memory: number | null;
  readonly memoryTotal: number | null;
  /** Percent of the last ten seconds in which something had to wait for it; null: its kernel does not tell. */
  readonly pressure: { readonly cpu: number; readonly memory: number; readonly io: number } | null;
  /** How many units of fleet's it has, and how many of them have failed. */
  readonly units: number;
  readonly failed: number;
}

/** What is shown of a unit on one machine; null: systemd does not account it there, or there is no rate yet. */
export interface UnitUsage {
  readonly name: string;
  readonly machineID: string;
  readonly hostname: string | null;
  readonly active: string;
  readonly sub: string;
  /** Percent of one core. */
  readonly cpu: number | null;
  /** Bytes. */
  readonly memory: number | null;
  readonly tasks: number | null;
  /** Bytes a second, read and written. */
  readonly io: number | null;
}

/** The figures of all machines at one time. */
export interface Usage {
  readonly machines: readonly MachineUsage[];
  readonly units: readonly UnitUsage[];
}

/** The last two samples of a machine; rates are made of both. */
interface Pair {
  readonly before: MachineSample | null;
  readonly now: MachineSample | NoSample;
}

/** Keeps the last two samples of each machine, and makes rates of them. */
export class UsageBook {
  readonly #pairs = new Map<string, Pair>();
  readonly #isAsked: (unit: string) => boolean;

  /** @param isAsked which units are shown */
  constructor(isAsked: (unit: string) => boolean = () => true) {
    this.#isAsked = isAsked;
  }

  /** Takes in what a machine said, or that it says nothing. */
  add(sample: UsageSample): void {
    const now = readSample(sample);
    const last = this.#pairs.get(now.machineID)?.now;
    this.#pairs.set(now.machineID, { before: last === undefined ? null : predecessor(last, now), now });
  }

  usage(): Usage {
    const pairs = [...this.#pairs.values()];
    return {
      machines: pairs.map(machineUsage),
      units: pairs.flatMap(unitUsages).filter(({ name }) => this.#isAsked(name)),
    };
  }
}

/** The sample that rates are made with; null: it says nothing of this one, whose machine has started anew, or was away. */
function predecessor(last: Pair["now"], now: Pair["now"]): MachineSample | null {
  return "error" in last || "error" in now || now.monotonicMs <= last.monotonicMs ? null : last;
}

function machineUsage({ before, now }: Pair): MachineUsage {
  const { machineID: id, hostname } = now;
  if ("error" in now) {
    const figures = { cpu: null, cpus: 0, load: null, memory: null, memoryTotal: null, pressure: null };
    return { id, hostname, error: now.error, ...figures, units: 0, failed: 0 };
  }
  const { cpus, load, memory, pressure, units, cpuBusyMs } = now;
  return {
    ...{ id, hostname, error: null, cpus, load, pressure },
    cpu: before === null ? null : (100 * (cpuBusyMs - before.cpuBusyMs)) / elapsed(before, now),
    memory: memory.totalBytes - memory.availableBytes,
    memoryTotal: memory.totalBytes,
    units: units.length,
    failed: units.filter(({ active }) => active === "failed").length,
  };
}

function unitUsages({ before, now }: Pair): readonly UnitUsage[] {
  if ("error" in now) return [];
  const earlier = new Map(before?.units.map((unit) => [unit.name, unit]));
  const ms = before === null ? 0 : elapsed(before, now);
  return now.units.map((unit): UnitUsage => {
    const last = earlier.get(unit.name);
    const ioOf = (of: typeof unit): number | undefined =>
      of.ioReadBytes === undefined ? undefined : of.ioReadBytes + (of.ioWriteBytes ?? 0);
    return {
      ...{ name: unit.name, machineID: now.machineID, hostname: now.hostname },
      ...{ active: unit.active, sub: unit.sub, memory: unit.memoryBytes ?? null, tasks: unit.tasks ?? null },
      cpu: scaled(rate(last?.cpuMs, unit.cpuMs, ms), 100),
      io: scaled(last === undefined ? null : rate(ioOf(last), ioOf(unit), ms), 1000),
    };
  });
}

const elapsed = (before: MachineSample, now: MachineSample): number => now.monotonicMs - before.monotonicMs;

const scaled = (value: number | null, by: number): number | null => (value === null ? null : value * by);

/** How much a counter grew in a millisecond; null: it is not counted, or began anew with the unit. */
function rate(before: number | undefined, now: number | undefined, ms: number): number | null {
  return before === undefined || now === undefined || now < before || ms === 0 ? null : (now - before) / ms;
}

import { setTimeout as sleep } from "node:timers/promises";
import type { UsageSample } from "@fleet/client/description";
import { type ClusterState, machineName } from "@fleet/domain/cluster";
import { LinkError, type UsageSample as MachineSample } from "@fleet/link";
import type { Asker } from "./machine-journal.ts";

/** How long a machine that does not answer is left in peace. */
const RETRY_MS = 5_000;

/** One sample of each of some machines; one that gives none is there with its error. */
export async function usageOf(
  state: ClusterState,
  asker: Asker,
  machines: readonly string[],
  signal: AbortSignal,
): Promise<readonly UsageSample[]> {
  return Promise.all(
    machines.map(async (machineID) => {
      for await (const sample of samplesOf(state, asker, { machineID, intervalMs: 1_000, count: 1, signal }))
        return sample;
      return { ...about(state, machineID), error: "the machine said nothing" };
    }),
  );
}

/** What samples of one machine are asked for. */
export interface Sampling {
  readonly machineID: string;
  readonly intervalMs: number;
  /** 0: without end. */
  readonly count: number;
  readonly signal: AbortSignal;
}

/** Samples of a machine, and one with an error where there is none. It ends then. */
async function* samplesOf(
  state: ClusterState,
  asker: Asker,
  { machineID, intervalMs, count, signal }: Sampling,
): AsyncGenerator<UsageSample, void> {
  if (!state.machines.has(machineID)) {
    yield { ...about(state, machineID), error: `${machineName(state, machineID)} is away` };
    return;
  }
  try {
    for await (const { usage } of asker.ask(machineID, { usage: { intervalMs, count } }, { signal }))
      if (usage !== undefined) yield { ...about(state, machineID), ...shown(usage) };
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    yield { ...about(state, machineID), error: error.message };
  }
}

/** Samples of a machine again and again: it is taken up again where it was away, which is said once. */
export async function* watchUsageOf(
  state: ClusterState,
  asker: Asker,
  sampling: Sampling,
): AsyncGenerator<UsageSample, void> {
  const { count, signal } = sampling;
  let said: string | null = null;
  let taken = 0;
  while (!signal.aborted && (count === 0 || taken < count)) {
    const left = count === 0 ? 0 : count - taken;
    for await (const sample of samplesOf(state, asker, { ...sampling, count: left })) {
      const error = sample.error ?? null;
      if (error === null) taken++;
      if (error === null || error !== said) yield sample;
      said = error;
    }
    // Of a stream with an end one word is enough.
    if (said !== null && count !== 0) return;
    if (count === 0 || taken < count) await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

function about(state: ClusterState, machineID: string): UsageSample {
  const hostname = state.machines.get(machineID)?.hostname;
  return { machineID, ...(hostname === undefined ? {} : { hostname }) };
}

/** A sample of the link as the API shows it. */
function shown({ atMs, cpuPressure, memoryPressure, ioPressure, ...same }: MachineSample): Partial<UsageSample> {
  const pressure = {
    ...(cpuPressure === undefined ? {} : { cpu: cpuPressure }),
    ...(memoryPressure === undefined ? {} : { memory: memoryPressure }),
    ...(ioPressure === undefined ? {} : { io: ioPressure }),
  };
  return {
    ...{ ...same, load: [...same.load], units: [...same.units] },
    at: new Date(atMs).toISOString(),
    ...(Object.keys(pressure).length === 0 ? {} : { pressure }),
  };
}

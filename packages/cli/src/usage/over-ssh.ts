import { setTimeout as sleep } from "node:timers/promises";
import type { UsageSample } from "@fleet/client";
import type { MachineInfo } from "../client/cluster-client.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { mergeAsTheyCome } from "../merge-as-they-come.ts";
import { linesOn } from "../ssh/run-on-machine.ts";
import { PlacedUnits } from "./placed-units.ts";
import { ProbeReader, probeCommand } from "./probe.ts";

/** How samples are taken. */
export interface SshProbe {
  readonly intervalMs: number;
  /** How many of each machine; 0: without end. */
  readonly count: number;
  readonly sshPort: string | undefined;
  readonly signal: AbortSignal;
}

/** A machine that could not be reached is tried again after this, and after a longer pause each time. */
const FIRST_PAUSE_MS = 2_000;
const MOST_PAUSE_MS = 30_000;

/** What one machine uses, without its units. */
export async function usageOverSsh(
  context: Context,
  machine: MachineInfo,
  sshPort: string | undefined,
): Promise<UsageSample> {
  const { signal } = context;
  const samples = samplesOf(context, machine, async () => [], { intervalMs: 0, count: 1, sshPort, signal });
  for await (const sample of samples) return sample;
  return { machineID: machine.id, error: "the machine printed no figures" };
}

/**
 * What machines and fleet's units there use, as commands on them print it. Of a stream without end the first sample of
 * each machine is there when this returns: what ssh asks its user is asked before.
 */
export async function watchUsageOverSsh(
  context: Context,
  machines: readonly MachineInfo[],
  probe: SshProbe,
): Promise<AsyncIterable<UsageSample>> {
  const client = await context.client();
  const placed = new PlacedUnits(() => client.states(), probe.intervalMs);
  const streams = machines.map((machine) =>
    samplesOf(context, machine, () => placed.on(machine.id), probe)[Symbol.asyncIterator](),
  );
  const first = probe.count === 0 ? await Promise.all(streams.map((stream) => stream.next())) : [];
  return (async function* () {
    for (const { done, value } of first) if (done !== true) yield value;
    yield* mergeAsTheyCome(streams);
  })();
}

/** Samples of a machine. One command prints them for as long as the machine has the same units. */
async function* samplesOf(
  context: Context,
  machine: MachineInfo,
  unitsThere: () => Promise<readonly string[]>,
  { intervalMs, count, sshPort, signal }: SshProbe,
): AsyncGenerator<UsageSample, undefined> {
  const about = { machineID: machine.id, ...(machine.hostname === null ? {} : { hostname: machine.hostname }) };
  let failures = 0;
  while (!signal.aborted) {
    const units = await unitsThere();
    const reader = new ProbeReader(about);
    try {
      const command = probeCommand({ units, intervalMs, count });
      for await (const line of linesOn(context, machine, command, { sshPort, isUnattended: count === 0 }, signal)) {
        const sample = reader.take(line);
        if (sample === null) continue;
        failures = 0;
        yield sample;
        if (count === 0 && (await unitsThere()).join() !== units.join()) break;
      }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      yield { ...about, error: error.message };
      failures++;
    }
    if (count > 0) return;
    const pauseMs = failures === 0 ? 0 : Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

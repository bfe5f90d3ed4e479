import type { UnitStatus } from "@fleet/client/description";
import { readEntry, timestampOf } from "@fleet/client/journal";
import { type ClusterState, machineName } from "@fleet/domain/cluster";
import { LinkError, type UnitStatus as MachineStatus } from "@fleet/link";
import { JournalLines } from "./journal-lines.ts";
import type { Asker } from "./machine-journal.ts";
import { machinesOf } from "./unit-phase.ts";

/** What each machine that has a unit, or had it last, says of it. One that says nothing is there with its error. */
export async function unitStatuses(
  state: ClusterState,
  asker: Asker,
  unit: string,
  lines: number,
  signal: AbortSignal,
): Promise<readonly UnitStatus[]> {
  const machines = [...machinesOf(state, unit)].sort();
  return Promise.all(machines.map((machineID) => statusOn(state, asker, { machineID, unit, lines, signal })));
}

interface Asked {
  readonly machineID: string;
  readonly unit: string;
  readonly lines: number;
  readonly signal: AbortSignal;
}

async function statusOn(
  state: ClusterState,
  asker: Asker,
  { machineID, unit, lines, signal }: Asked,
): Promise<UnitStatus> {
  const hostname = state.machines.get(machineID)?.hostname;
  const about = { unit, machineID, ...(hostname === undefined ? {} : { hostname }) };
  if (!state.machines.has(machineID)) return { ...about, error: `${machineName(state, machineID)} is away` };
  try {
    for await (const { status } of asker.ask(machineID, { status: { units: [unit], lines } }, { signal }))
      if (status !== undefined) return { ...about, ...shown(status, machineID, hostname) };
    return { ...about, error: `${machineName(state, machineID)} said nothing of it` };
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    return { ...about, error: error.message };
  }
}

/** A status of the link as the API shows it. */
function shown(status: MachineStatus, machineID: string, hostname: string | undefined): Partial<UnitStatus> {
  const { sinceUs, mainPid, journal, unit: _unit, processes = [], ...same } = status;
  const source = { machineID, hostname, units: new Set([status.unit]), allFields: false };
  const lines = journal === undefined ? [] : new JournalLines().take(journal);
  return {
    ...same,
    ...(sinceUs === undefined ? {} : { since: timestampOf(sinceUs) }),
    ...(mainPid === undefined ? {} : { mainPID: mainPid }),
    processes,
    journal: lines.flatMap((line) => readEntry(line, source)?.entry ?? []),
  };
}

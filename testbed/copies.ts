/** One run of a unit on a host, by that host's journal. Times are the journal's, of one clock for all hosts, in microseconds. */
export interface Run {
  readonly host: number;
  readonly invocation: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Reads runs from a journal's entries, one JSON document a line: of each invocation its first and its last word.
 *
 * @param journal as `journalctl -o json -u UNIT` prints it
 */
export function runsOf(host: number, journal: string): readonly Run[] {
  const runs = new Map<string, Run>();
  for (const line of journal.split("\n")) {
    if (line === "") continue;
    const entry = JSON.parse(line) as Record<string, string>;
    const invocation = entry._SYSTEMD_INVOCATION_ID;
    // What systemd itself says of the unit is no sign of life.
    if (invocation === undefined || entry._PID === "1") continue;
    const at = Number(entry._SOURCE_REALTIME_TIMESTAMP ?? entry.__REALTIME_TIMESTAMP);
    const run = runs.get(invocation);
    runs.set(invocation, {
      host,
      invocation,
      from: Math.min(run?.from ?? at, at),
      to: Math.max(run?.to ?? at, at),
    });
  }
  return [...runs.values()];
}

/** Pairs of runs that were alive at the same time. */
export function overlaps(runs: readonly Run[]): readonly (readonly [Run, Run])[] {
  const sorted = [...runs].sort((a, b) => a.from - b.from);
  const found: (readonly [Run, Run])[] = [];
  for (const [index, run] of sorted.entries()) {
    for (const later of sorted.slice(index + 1)) {
      if (later.from > run.to) break;
      found.push([run, later]);
    }
  }
  return found;
}

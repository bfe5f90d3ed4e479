import type { TestCluster } from "../testbed/test-cluster.ts";

/** What a daemon uses. */
export interface Use {
  /** Memory that is resident, in KiB. */
  readonly kib: number;
  readonly descriptors: number;
}

/** By process: `h1 agent 123`, its host, its part and its ID there. */
export type Uses = ReadonlyMap<string, Use>;

/** How much either may grow between the warm-up and the end (invariant 11). */
const GROWTH = 0.05;
/** Fewer samples than these tell nothing of growth. */
export const ENOUGH = 20;

/** What every daemon uses now. */
export async function uses(cluster: TestCluster): Promise<Uses> {
  const { network } = cluster.cluster;
  const script = `for part in agent engine api; do
    pid=$(systemctl show -P MainPID fleet-$part)
    [ "$pid" = 0 ] || echo "$part $pid $(grep -oP 'VmRSS:\\s+\\K\\d+' /proc/$pid/status) $(ls /proc/$pid/fd | wc -l)"; done`;
  const found = new Map<string, Use>();
  for (const host of network.hosts.keys()) {
    const { stdout } = await network.exec(host, ["sh", "-c", script]);
    for (const line of stdout.trim().split("\n")) {
      const [part, pid, kib, descriptors] = line.split(" ");
      found.set(`h${host} ${part} ${pid}`, { kib: Number(kib), descriptors: Number(descriptors) });
    }
  }
  return found;
}

export function sayUses(found: Uses): string {
  return [...found]
    .map(([process, { kib, descriptors }]) => `${process}: ${Math.round(kib / 1024)} MB ${descriptors} fd`)
    .sort()
    .join(", ");
}

/**
 * What grew, of processes that lived long enough: the median of the last quarter of their samples against that of the
 * second, the first being the warm-up.
 *
 * @param samples in their order
 */
export function grown(samples: readonly Uses[]): readonly string[] {
  const problems: string[] = [];
  for (const process of samples.at(-1)?.keys() ?? []) {
    const own = samples.flatMap((found) => found.get(process) ?? []);
    if (own.length < ENOUGH) continue;
    const quarter = Math.floor(own.length / 4);
    for (const what of ["kib", "descriptors"] as const) {
      const values = own.map((use) => use[what]);
      const [before, after] = [median(values.slice(quarter, 2 * quarter)), median(values.slice(-quarter))];
      if (after <= before * (1 + GROWTH)) continue;
      const unit = what === "kib" ? "KiB of memory" : "descriptors";
      problems.push(`${process} grew from ${before} to ${after} ${unit} after its warm-up`);
    }
  }
  return problems;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

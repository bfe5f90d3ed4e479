import type { TestCluster } from "../testbed/test-cluster.ts";

/** What a host's systemd says of a unit. */
export interface HostUnit {
  readonly active: string;
  readonly invocation: string;
}

/** By host, then by unit. */
export type Seen = ReadonlyMap<number, ReadonlyMap<string, HostUnit>>;

const PROPERTIES = ["Id", "ActiveState", "LoadState", "InvocationID"];

/** What every host's own systemd says of units; those that it does not know are left out. */
export async function look(cluster: TestCluster, names: readonly string[]): Promise<Seen> {
  const { network } = cluster.cluster;
  const seen = new Map<number, ReadonlyMap<string, HostUnit>>();
  await Promise.all(
    [...network.hosts.keys()].map(async (host) => {
      const text = await network.must(host, "systemctl", "show", "-p", PROPERTIES.join(","), ...names);
      const units = new Map<string, HostUnit>();
      for (const block of text.split("\n\n")) {
        const of = (property: string): string => new RegExp(`^${property}=(.*)$`, "m").exec(block)?.[1] ?? "";
        if (of("LoadState") === "not-found" || of("Id") === "") continue;
        units.set(of("Id"), { active: of("ActiveState"), invocation: of("InvocationID") });
      }
      seen.set(host, units);
    }),
  );
  return seen;
}

/** What each host says of one unit; hosts that do not know it are left out. */
export function byHost(seen: Seen, name: string): ReadonlyMap<number, HostUnit> {
  const found = new Map<number, HostUnit>();
  for (const [host, units] of seen) {
    const unit = units.get(name);
    if (unit !== undefined) found.set(host, unit);
  }
  return found;
}

import type { HostPort, LinkConfig } from "./config.ts";

/** The addresses that mean every address of a machine: nobody can call those. */
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** The link by what link_listen and link_advertise say; null where it is off. Problems and warnings are added to. */
export function linkConfig(
  { listen, advertise }: { readonly listen: HostPort | null; readonly advertise: HostPort | null },
  publicIP: string,
  problems: string[],
  warnings: string[],
): LinkConfig | null {
  if (advertise !== null && WILDCARDS.has(advertise.host)) {
    problems.push(
      `option link_advertise: agents can't call ${advertise.host}: expected an address at which they reach this machine`,
    );
  }
  if (listen === null) {
    if (advertise !== null) warnings.push("option link_advertise has no effect without link_listen");
    return null;
  }
  if (advertise !== null) return { listen, advertise };
  if (!WILDCARDS.has(listen.host)) return { listen, advertise: listen };
  return { listen, advertise: { host: publicIP === "" ? null : publicIP, port: listen.port } };
}

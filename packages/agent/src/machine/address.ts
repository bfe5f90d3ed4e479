import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

/**
 * The address to publish for this machine: the first one on the interface of the default route, IPv4 before IPv6; empty
 * where there is none.
 */
export function detectAddress(): string {
  const name = defaultInterface(readQuietly("/proc/net/route"), readQuietly("/proc/net/ipv6_route"));
  const addresses = name === null ? [] : (networkInterfaces()[name] ?? []);
  const usable = addresses.filter(({ internal, family, scopeid }) => !internal && (family === "IPv4" || !scopeid));
  return (usable.find(({ family }) => family === "IPv4") ?? usable[0])?.address ?? "";
}

/** The interface of the default route with the lowest metric, by the kernel's tables; null where there is none. */
export function defaultInterface(route4: string, route6: string): string | null {
  const defaults4 = route4
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1] === "00000000" && fields[7] === "00000000")
    .sort((a, b) => Number(a[6]) - Number(b[6]));
  if (defaults4[0]?.[0] !== undefined) return defaults4[0][0];
  const defaults6 = route6
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(
      (fields) =>
        /^0{32}$/.test(fields[0] ?? "") && fields[1] === "00" && fields[9] !== undefined && fields[9] !== "lo",
    )
    .sort((a, b) => Number.parseInt(a[5] ?? "0", 16) - Number.parseInt(b[5] ?? "0", 16));
  return defaults6[0]?.[9] ?? null;
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

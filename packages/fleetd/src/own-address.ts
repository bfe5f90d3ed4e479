import { createSocket } from "node:dgram";

/** Addresses of documentation, RFC 5737 and RFC 3849: the way to them is the default route. */
const ANYWHERE = [
  ["udp4", "192.0.2.1"],
  ["udp6", "2001:db8::1"],
] as const;
const DISCARD_PORT = 9;

/**
 * The address by which this machine reaches others over its default route, IPv4 before IPv6; null: it has no such route.
 * The kernel tells it of a socket that nothing is sent by: a sandbox that hides the table of routes and the interfaces, as
 * that of fleet-api.service does, hides nothing of it.
 */
export async function ownAddress(): Promise<string | null> {
  for (const [type, host] of ANYWHERE) {
    const address = await addressTowards(type, host);
    if (address !== null) return address;
  }
  return null;
}

function addressTowards(type: "udp4" | "udp6", host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(type);
    const done = (address: string | null): void => {
      socket.close();
      resolve(address);
    };
    socket.once("error", () => done(null));
    socket.connect(DISCARD_PORT, host, () => done(socket.address().address));
  });
}

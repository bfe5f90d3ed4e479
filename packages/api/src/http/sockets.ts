import { rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect } from "node:net";
import type { ListenAddress } from "@fleet/config";
import { answerBroken } from "./broken-requests.ts";

/** systemd passes its sockets from this descriptor on. */
const FIRST_DESCRIPTOR = 3;

/** Connections that may wait to be accepted: as many as systemd's own sockets let wait. */
const BACKLOG = 4096;

/** How many sockets systemd passed to this process; by sd_listen_fds(3) they count only where LISTEN_PID is ours. */
export function passedSockets(env: NodeJS.ProcessEnv, pid: number): number {
  if (Number(env.LISTEN_PID) !== pid) return 0;
  const count = Number(env.LISTEN_FDS);
  return Number.isInteger(count) && count > 0 ? count : 0;
}

/** Opens a server for each socket that systemd passed and for each address that is configured, all with one handler. */
export async function openSockets(
  handler: RequestListener,
  passed: number,
  addresses: readonly ListenAddress[],
  version: string,
): Promise<readonly Server[]> {
  const servers: Server[] = [];
  try {
    for (let index = 0; index < passed; index++) {
      servers.push(
        await listen(handler, version, (server) => server.listen({ fd: FIRST_DESCRIPTOR + index, backlog: BACKLOG })),
      );
    }
    for (const address of addresses) {
      if (address.kind === "unix") await removeStale(address.path);
      servers.push(
        await listen(handler, version, (server) =>
          address.kind === "unix"
            ? server.listen({ path: address.path, backlog: BACKLOG })
            : server.listen({ host: address.host, port: address.port, backlog: BACKLOG }),
        ),
      );
    }
    return servers;
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
}

function listen(handler: RequestListener, version: string, start: (server: Server) => void): Promise<Server> {
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 20_000, keepAliveTimeout: 75_000 }, handler);
  answerBroken(server, version);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => resolve(server));
    start(server);
  });
}

/** A socket file that nobody listens on any more keeps the next daemon from listening. */
function removeStale(path: string): Promise<void> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve();
    });
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") rmSync(path, { force: true });
      resolve();
    });
  });
}

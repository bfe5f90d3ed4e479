import { readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import { connect, type Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { type Config, hostPortText, type ListenAddress } from "@fleet/config";
import { type ConnectionBounds, ConnectionLimits } from "../model/connection-limits.ts";
import { isLoopbackAddress } from "../model/web-origin.ts";
import { answerBroken } from "./broken-requests.ts";

/** The descriptor of the first socket that systemd passes. */
const FIRST_DESCRIPTOR = 3;

/** Connections that may wait to be accepted. The kernel allows no more by default. */
const BACKLOG = 4096;
/** For each socket. */
const BOUNDS: ConnectionBounds = { most: 8_192, mostSilent: 2_048, mostSilentOfPeer: 256, graceMs: 2_000 };
const UNAUTHORIZED = 401;
const HANDSHAKE_MS = 10_000;
const STOP_MS = 2_000;
const TIMEOUTS = { requestTimeout: 60_000, headersTimeout: 20_000, keepAliveTimeout: 75_000 };

/** A socket that the API listens on. */
export interface Listener {
  /** For example `/run/fleet.sock` or `192.0.2.1:49153`. */
  readonly address: string;
  /** Who can reach it: members of the socket's group, this machine, or other machines. */
  readonly reach: "unix" | "loopback" | "network";
  readonly isSecure: boolean;
  /**
   * Has new connections served with other certificates. Where those of clients are checked by another CA, all
   * connections are closed: their certificates may have been revoked. Without TLS nothing changes.
   */
  reloadTls(tls: NonNullable<Config["apiTls"]>): void;
  /** Closes it. Open requests have up to two seconds to finish. */
  close(): Promise<void>;
}

/** What the sockets serve. */
export interface SocketOptions {
  readonly handler: RequestListener;
  readonly version: string;
  /** How many sockets systemd has passed. */
  readonly passed: number;
  readonly addresses: readonly ListenAddress[];
  /** For TCP sockets; null: plain HTTP there too. */
  readonly tls: Config["apiTls"];
  /** Of the connections to each socket. */
  readonly bounds?: ConnectionBounds;
  /** When connections that send nothing whole are closed. */
  readonly timeouts?: Partial<typeof TIMEOUTS> & { readonly connectionsCheckingInterval?: number };
}

/**
 * How many sockets systemd passed to this process. By sd_listen_fds(3), LISTEN_PID names the process that they are for.
 */
export function passedSockets(env: NodeJS.ProcessEnv, pid: number): number {
  if (Number(env.LISTEN_PID) !== pid) return 0;
  const count = Number(env.LISTEN_FDS);
  return Number.isInteger(count) && count > 0 ? count : 0;
}

/**
 * Opens each socket that systemd passed and each configured address, all with one handler. Either all are open, or
 * none.
 */
export async function openSockets(options: SocketOptions): Promise<readonly Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (let index = 0; index < options.passed; index++) {
      listeners.push(await listen(options, { fd: FIRST_DESCRIPTOR + index }));
    }
    for (const address of options.addresses) {
      if (address.kind === "unix") await removeStale(address.path);
      const where = address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
      listeners.push(await listen(options, where));
    }
    return listeners;
  } catch (error) {
    for (const listener of listeners) void listener.close();
    throw error;
  }
}

async function listen(
  { handler, version, tls, bounds = BOUNDS, timeouts = {} }: SocketOptions,
  where: { readonly fd: number } | { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<Listener> {
  const isTCP = "fd" in where ? !isUnixSocket(where.fd) : "port" in where;
  const common = { ...TIMEOUTS, ...timeouts };
  const secure =
    isTCP && tls !== null
      ? createSecureServer({ ...common, ...serverOptions(tls), ...secureOptions(tls) }, handler)
      : null;
  const server = secure ?? createServer(common, handler);
  answerBroken(server, version);
  limitConnections(server, new ConnectionLimits(bounds));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...where, backlog: BACKLOG }, () => resolve());
  });
  const address = server.address();
  const host = typeof address === "object" && address !== null ? address : null;
  let clientCA = tls?.clientCA ?? null;
  return {
    address:
      host === null
        ? String(address ?? "a socket of systemd's")
        : hostPortText({ host: host.address, port: host.port }),
    reach: host === null ? "unix" : isLoopbackAddress(host.address) ? "loopback" : "network",
    isSecure: secure !== null,
    reloadTls: (next) => {
      if (secure === null) return;
      secure.setSecureContext(secureOptions(next));
      if (next.clientCA !== clientCA) secure.closeAllConnections();
      clientCA = next.clientCA;
    },
    close: () => close(server),
  };
}

/** Has connections closed that would keep others out. */
function limitConnections(server: Server | SecureServer, limits: ConnectionLimits<string | Socket>): void {
  const sockets = new Map<string | Socket, Socket>();
  server.on("connection", (socket: Socket) => {
    const id = idOf(socket);
    sockets.set(id, socket);
    socket.once("close", () => {
      limits.close(id);
      sockets.delete(id);
    });
    for (const closed of limits.open(id, socket.remoteAddress ?? "", performance.now())) sockets.get(closed)?.destroy();
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    const id = idOf(socket);
    limits.letIn(id);
    response.once("close", () => {
      if (response.statusCode === UNAUTHORIZED) limits.silence(id, performance.now());
    });
  });
}

/** What a TCP connection and the TLS connection in it have in common; a UNIX socket has no name, and no TLS. */
function idOf(socket: Socket): string | Socket {
  return socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`;
}

/** What a server goes by as long as it listens. */
function serverOptions({ clientCA }: NonNullable<Config["apiTls"]>): object {
  const client = clientCA === null ? {} : { requestCert: true, rejectUnauthorized: true };
  return { handshakeTimeout: HANDSHAKE_MS, ...client };
}

/** What connections are made with. */
function secureOptions({ cert, key, clientCA }: NonNullable<Config["apiTls"]>): SecureContextOptions {
  return { cert, key, minVersion: "TLSv1.2", ...(clientCA === null ? {} : { ca: clientCA }) };
}

/** Whether a socket that systemd passed is a UNIX one. The kernel lists those in /proc/self/net/unix by their inode. */
function isUnixSocket(descriptor: number): boolean {
  const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
  const listed = readFileSync("/proc/self/net/unix", "utf8").split("\n");
  return listed.some((line) => line.split(/\s+/)[6] === inode);
}

function close(server: Server | SecureServer): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), STOP_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** Removes a socket file without a listener: a daemon can't listen on a path that exists. */
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

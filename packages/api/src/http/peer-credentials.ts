import type { Socket } from "node:net";

/** The process at the other end of a UNIX socket, as the kernel noted it when it connected. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid and gid, of four bytes each. */
const UCRED_BYTES = 12;

type GetSockOpt = (fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array) => number;

/** Null: it can't be called here. */
let getsockopt: GetSockOpt | null | undefined;
const known = new WeakMap<Socket, PeerCredentials | null>();

/** Who is at the other end of a UNIX socket; null where that can't be known, as over TCP. */
export function peerCredentials(socket: Socket): PeerCredentials | null {
  if (socket.remoteAddress !== undefined) return null;
  let credentials = known.get(socket);
  if (credentials === undefined) {
    credentials = read(socket);
    known.set(socket, credentials);
  }
  return credentials;
}

function read(socket: Socket): PeerCredentials | null {
  // Node gives neither the option nor, by a public name, the descriptor.
  const fd = (socket as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  if (getsockopt === undefined) getsockopt = load();
  if (fd === undefined || fd < 0 || getsockopt === null) return null;
  const ucred = new Uint8Array(UCRED_BYTES);
  const length = new Uint8Array(Uint32Array.of(UCRED_BYTES).buffer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ucred, length) !== 0) return null;
  const [pid = 0, uid = 0] = new Uint32Array(ucred.buffer);
  return { pid, uid };
}

/** Loaded when a change comes over a UNIX socket: the module is experimental in Node, and missing in older ones. */
function load(): GetSockOpt | null {
  const { emitWarning } = process;
  // Operators can do nothing about the warning that the module may change: fleetd is built with one version of Node.
  process.emitWarning = () => undefined;
  try {
    const { functions } = process.getBuiltinModule("node:ffi").dlopen(null, {
      getsockopt: { arguments: ["i32", "i32", "i32", "pointer", "pointer"], return: "i32" },
    });
    return functions.getsockopt;
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}

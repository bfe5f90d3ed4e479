/** What a request says of the web page that sent it. */
export interface Provenance {
  /** Its Host header; undefined: it has none, as of HTTP/1.0. */
  readonly host: string | undefined;
  /** Its Origin header, which browsers add; undefined: it has none. */
  readonly origin: string | undefined;
  /** It came in at a loopback address. */
  readonly isLoopback: boolean;
}

/**
 * Why a request may be the work of a web page of somebody else, in a browser on a machine that reaches the API: browsers
 * go where a name leads, and its owner can let it lead to 127.0.0.1 (DNS rebinding). A token can't be had that way, so
 * this matters where none is asked for.
 *
 * @param ownName the machine's host name
 * @returns a sentence for the client; null: it may not
 */
export function foreignPage({ host, origin, isLoopback }: Provenance, ownName: string): string | null {
  if (origin !== undefined && (host === undefined || hostOf(origin) !== host.toLowerCase()))
    return `permission denied: requests from web pages of ${JSON.stringify(origin)} are refused`;
  if (!isLoopback || host === undefined || isLocal(nameIn(host), ownName.toLowerCase())) return null;
  return `invalid Host ${JSON.stringify(host)}: expected localhost, a loopback address or this machine's name`;
}

/** Whether an address is one of those that lead to the machine itself. */
export function isLoopbackAddress(address: string): boolean {
  return /^(?:::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/i.test(address);
}

/** The host and port of an origin; null of one that has none, as `null`. */
function hostOf(origin: string): string | null {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? null;
}

/** The name or address in a Host header, without port and brackets. */
function nameIn(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d*$/, "")
    .replace(/^\[(.*)\]$/, "$1");
}

function isLocal(name: string, ownName: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || name === ownName || isLoopbackAddress(name);
}

import { RegistryError } from "@fleet/domain/cluster";
import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
} from "etcd3";

/** gRPC status codes as fleet's; the number leads the message of every error that etcd3 throws. */
const BY_STATUS: Readonly<Record<number, "unavailable" | "timeout" | "forbidden" | "unauthenticated">> = {
  1: "unavailable",
  2: "unavailable",
  4: "timeout",
  7: "forbidden",
  14: "unavailable",
  16: "unauthenticated",
};

/**
 * Turns whatever the etcd client threw into a RegistryError: the only place that reads foreign error messages.
 *
 * @param servers the endpoints, for the message
 */
export function registryError(error: unknown, servers: readonly string[]): RegistryError {
  if (error instanceof RegistryError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const at = `etcd at ${servers.join(", ")}`;
  const as = (code: ConstructorParameters<typeof RegistryError>[0], message: string): RegistryError =>
    new RegistryError(code, message, error);

  if (error instanceof EtcdAuthenticationFailedError || /authentication failed, invalid user/.test(text)) {
    return as("unauthenticated", `${at} refused the user name or password: check etcd_username and etcd_password`);
  }
  if (/user name is empty/.test(text)) {
    return as("unauthenticated", `${at} wants a user name and password: set etcd_username and etcd_password`);
  }
  if (/authentication is not enabled/.test(text)) {
    return as("unauthenticated", `${at} has authentication disabled: remove etcd_username and etcd_password`);
  }
  if (error instanceof EtcdInvalidAuthTokenError || REFUSED_TOKEN.test(text)) {
    return as("unavailable", `${at} no longer takes the session's token; a new one is fetched`);
  }
  if (error instanceof EtcdPermissionDeniedError || /permission denied/i.test(text)) {
    return as("forbidden", `${at} denies access: the user's role must allow reading and writing under etcd_key_prefix`);
  }
  if (/compacted/.test(text)) return as("compacted", `${at} has compacted the revision that was asked for`);
  if (/database space exceeded/.test(text))
    return as("no-space", `${at} is out of space: compact it and disarm the alarm`);
  if (error instanceof EtcdLeaseInvalidError || /requested lease not found/i.test(text)) {
    return as("lease-lost", `${at} no longer has the lease that this write belongs to`);
  }
  if (error instanceof ClientClosedError) return as("closed", "the etcd client has been closed");
  if (/certificate|self.signed|SSL|TLS|unable to verify/i.test(text)) {
    return as("tls", `the TLS connection to ${at} failed: ${tlsReason(text)}`);
  }
  const status = Number(/^(?:Lease )?(\d+) /.exec(text)?.[1] ?? (error as { code?: unknown }).code);
  const code = BY_STATUS[status];
  if (code === "timeout") return as("timeout", `${at} did not answer in time`);
  if (code !== undefined) return as(code, `${at} can't be reached: ${reason(text)}`);
  return as("unexpected", `${at} answered: ${reason(text)}`);
}

/** What a refused token is called on its way through the library. */
export const STALE_LOGIN = "the login is stale";

/** Also when users or roles have changed since the login. */
const REFUSED_TOKEN = /login is stale|invalid auth token|revision .*is old|auth: .*old revision/;

/** Whether etcd no longer takes the token of a login, as after its time or a restart. */
export function isRefusedToken(error: unknown): boolean {
  const cause = error instanceof RegistryError ? error.cause : error;
  return cause instanceof EtcdInvalidAuthTokenError || REFUSED_TOKEN.test(String((cause as Error)?.message));
}

/** Whether the request certainly never reached a server, so that even a write may be sent again. */
export function wasNeverSent(error: unknown): boolean {
  return (
    error instanceof Error && /No connection established|Name resolution failed|Failed to connect/.test(error.message)
  );
}

/** What OpenSSL says amid addresses, source files and times, which differ each time. */
function tlsReason(text: string): string {
  const alert = /ssl\/tls alert ([a-z ]+)/.exec(text)?.[1]?.trim();
  if (alert !== undefined && /certificate|unknown ca|handshake failure/.test(alert))
    return `etcd refused fleet's certificate (${alert}): check etcd_certfile and etcd_keyfile`;
  if (/certificate required/.test(text)) return "etcd wants a certificate: set etcd_certfile and etcd_keyfile";
  return reason(text).replace(/\b[0-9A-F]{8,}:error:[0-9A-F]+:[^:]*:[^:]*:([^:]*):\S*/g, "$1");
}

function reason(text: string): string {
  return text
    .replace(/^\d+ [A-Z_]+: /, "")
    .replace(/^No connection established\. Last error: (Error: )?/, "")
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/g, "")
    .replace(/\. Resolution note: *$/, "")
    .replace(/\s+/g, " ")
    .slice(0, 300);
}

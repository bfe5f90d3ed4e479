import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { EtcdConfig } from "@fleet/config";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";

/** Stands in for the server's name where it has only an address: TLS knows no such names for addresses. */
const NO_NAME = "address.invalid";

/**
 * TLS credentials for one endpoint, and the channel options that go with them: also for an address, which etcd3's own
 * credentials refuse under present versions of Node.
 */
export function tlsFor(
  tls: EtcdConfig["tls"],
  server: string,
): { readonly credentials: ChannelCredentials; readonly options: ChannelOptions } {
  const host = new URL(server).hostname.replace(/^\[(.*)\]$/, "$1");
  const pem = (text: string | null | undefined): Buffer | null => (text == null ? null : Buffer.from(text));
  const files = [pem(tls?.ca), pem(tls?.key), pem(tls?.cert)] as const;
  if (isIP(host) === 0) return { credentials: credentials.createSsl(...files), options: {} };
  const verify = {
    checkServerIdentity: (_name: string, cert: Parameters<typeof checkServerIdentity>[1]) =>
      checkServerIdentity(host, cert),
  };
  return {
    credentials: credentials.createSsl(...files, verify),
    options: { "grpc.ssl_target_name_override": NO_NAME },
  };
}

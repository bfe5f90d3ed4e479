import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { EtcdConfig } from "@fleet/config";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { Etcd3, type IOptions } from "etcd3";

/** Stands in for the server's name where it has only an address: TLS knows no such names for addresses. */
const NO_NAME = "address.invalid";

/** etcd3's client with TLS as fleet needs it: also to an address, which its own refuses under present versions of Node. */
export class SecureEtcd3 extends Etcd3 {
  constructor(options: IOptions, channelCredentials: ChannelCredentials) {
    super(options);
    // The library builds its credentials from three files and nothing else: what is checked can't be told.
    const pool = this.pool as unknown as { readonly hosts: readonly { channelCredentials: ChannelCredentials }[] };
    for (const host of pool.hosts) host.channelCredentials = channelCredentials;
  }
}

/** TLS credentials for one endpoint, and the channel options that go with them. */
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

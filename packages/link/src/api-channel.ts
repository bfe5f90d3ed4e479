import { X509Certificate } from "node:crypto";
import type { LinkApiRecord } from "@fleet/domain/cluster";
import { Client, type ClientDuplexStream, connectivityState, credentials } from "@grpc/grpc-js";
import { LINK_SERVICE, SERVER_NAME } from "./contract.ts";
import { CHANNEL_OPTIONS } from "./limits.ts";
import type { FromAgent, FromApi } from "./messages.ts";

/** An agent's stream to an API. */
export type ApiStream = ClientDuplexStream<FromAgent, FromApi>;

/** A connection to one API, which is known by the certificate that etcd holds. */
export class ApiChannel {
  /** Where the API says that it listens: host:port. */
  readonly address: string;
  readonly #client: Client;

  /** @throws Error where the certificate can't be read */
  constructor({ address, certificate }: LinkApiRecord) {
    this.address = address;
    const wanted = new X509Certificate(certificate);
    const checkServerIdentity = (_name: string, shown: { readonly raw: Buffer }): Error | undefined =>
      shown.raw.equals(wanted.raw) ? undefined : new Error("it shows another certificate than etcd holds");
    this.#client = new Client(
      address,
      credentials.createSsl(Buffer.from(certificate), null, null, { checkServerIdentity }),
      {
        ...CHANNEL_OPTIONS,
        "grpc.ssl_target_name_override": SERVER_NAME,
        // A proxy of the environment is not the way to an API, and would see who asks whom.
        "grpc.enable_http_proxy": 0,
        "grpc.enable_retries": 0,
        // A connection that hangs is nobody else's: grpc-js shares them among all channels of a process otherwise.
        "grpc.use_local_subchannel_pool": 1,
      },
    );
  }

  /** Whether the API was reached and has shown its certificate. */
  get isConnected(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  /** Opens a stream. It ends with an error as soon as there is no connection to be had; one that hangs is its user's to end. */
  open(): ApiStream {
    const { path, requestSerialize, responseDeserialize } = LINK_SERVICE.answer;
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  }

  close(): void {
    this.#client.close();
  }
}

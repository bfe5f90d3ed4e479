import type { EtcdConfig } from "@fleet/config";
import type { Etcd3 } from "etcd3";
import { type Connection, connectionTo } from "./etcd3-connection.ts";

/** What is needed of a gRPC stream to end it. */
interface Cancelable {
  cancel(): void;
}

/** A stream, and what its user owes the connection that it came by. */
export interface OpenedStream<Stream> {
  readonly stream: Stream;
  /** To be called when the stream is no longer used. */
  readonly release: () => void;
  /** To be called when nothing came on it in time; see Etcd3Endpoint. */
  readonly unanswered: (askedAt: number) => void;
}

/**
 * One endpoint of etcd and the connection to it. gRPC connects anew by itself where a connection breaks. One that is
 * silently dead it notices after 13 seconds, so a connection on which nothing came while a request waited is replaced.
 */
export class Etcd3Endpoint {
  readonly #connect: () => Connection;
  readonly #streams = new Set<Cancelable>();
  #current: Connection;

  /** @param token what a login has brought; null: there was none */
  constructor(config: EtcdConfig, server: string, token: () => string | null) {
    this.#connect = () => connectionTo(config, server, token);
    this.#current = this.#connect();
  }

  /** To send requests by; to be asked for anew for each. */
  get client(): Etcd3 {
    return this.#current.client;
  }

  /** Opens a stream. It breaks when its connection is replaced. */
  async open<Stream extends Cancelable>(open: (client: Etcd3) => Promise<Stream>): Promise<OpenedStream<Stream>> {
    const connection = this.#current;
    const stream = await open(connection.client);
    if (connection === this.#current) this.#streams.add(stream);
    else stream.cancel();
    return {
      stream,
      release: () => this.#streams.delete(stream),
      unanswered: (askedAt) => this.unanswered(askedAt),
    };
  }

  /**
   * A request was not answered in time. The connection is replaced, unless etcd said anything on it since, or it is
   * younger than the request: what was sent on an older one says nothing of it.
   *
   * @param askedAt when it was sent, by performance.now()
   */
  unanswered(askedAt: number): void {
    if (this.#current.heardAt >= askedAt) return;
    const silent = this.#current;
    this.#current = this.#connect();
    silent.close();
    this.#breakStreams();
  }

  close(): void {
    this.#current.close();
    this.#breakStreams();
  }

  #breakStreams(): void {
    const streams = [...this.#streams];
    this.#streams.clear();
    for (const stream of streams) stream.cancel();
  }
}

import { decodeLinkApi, type LinkApiRecord } from "@fleet/domain/cluster";
import type { Registry } from "@fleet/registry";
import { ApiChannel } from "./api-channel.ts";

interface Shared {
  readonly channel: Promise<ApiChannel>;
  users: number;
}

/** One connection for each API that is being answered, for as long as any call of it runs. */
export class ApiChannels {
  readonly #registry: Registry;
  readonly #open = new Map<string, Shared>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get count(): number {
    return this.#open.size;
  }

  /**
   * The connection to an API. To be given back.
   *
   * @throws Error where etcd does not know it
   */
  async take(api: string): Promise<ApiChannel> {
    const shared = this.#open.get(api) ?? { channel: this.#connect(api), users: 0 };
    this.#open.set(api, shared);
    shared.users++;
    try {
      return await shared.channel;
    } catch (error) {
      // The next call of that API tries anew.
      if (this.#open.get(api) === shared) this.#open.delete(api);
      throw error;
    }
  }

  /** Gives a connection back; the last one closes it. */
  giveBack(api: string, channel: ApiChannel): void {
    const shared = this.#open.get(api);
    if (shared === undefined || --shared.users > 0) return;
    this.#open.delete(api);
    channel.close();
  }

  async #connect(api: string): Promise<ApiChannel> {
    return new ApiChannel(await this.#read(api));
  }

  async #read(api: string): Promise<LinkApiRecord> {
    const { etcd, keys } = this.#registry;
    const key = keys.of("link-api", api);
    const { keyValues } = await etcd.range({ start: key, end: `${key}\0` }, { limit: 1 });
    const record = keyValues[0] === undefined ? null : decodeLinkApi(keyValues[0].value);
    if (record === null) throw new Error(`etcd knows no API ${api} that asks over the link`);
    return record;
  }
}

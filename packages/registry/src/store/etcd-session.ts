/** A login that is needed before requests: its token, fetched when there is none and again when etcd no longer takes it. */
export class EtcdSession {
  readonly #login: () => Promise<string>;
  #token: string | null = null;
  #pending: Promise<string> | null = null;

  /** @param login fetches a token; it must end within a time of its own */
  constructor(login: () => Promise<string>) {
    this.#login = login;
  }

  /** The token of the last login; null where there has been none, or etcd has refused it since. */
  get token(): string | null {
    return this.#token;
  }

  /** Logs in where that is needed; many that wait share one login. */
  async ready(): Promise<void> {
    if (this.#token !== null) return;
    this.#pending ??= this.#login().finally(() => {
      this.#pending = null;
    });
    this.#token = await this.#pending;
  }

  /** Forgets a token that etcd has refused, unless it has been replaced already. */
  refuse(token: string | null): void {
    if (this.#token === token) this.#token = null;
  }
}

/** Global flags, after environment and defaults. */
export interface GlobalFlags {
  readonly endpoint: string;
  readonly driver: "API" | "etcd";
  readonly etcdKeyPrefix: string;
  /** In milliseconds. */
  readonly requestTimeoutMs: number;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Empty: the API wants no token. */
  readonly tokenFile: string;
  readonly ssh: SshFlags;
  readonly debug: boolean;
}

/** How SSH is to be used. */
export interface SshFlags {
  /** The bastion, `HOST[:PORT]`; null: machines are reached directly. */
  readonly tunnel: string | null;
  readonly username: string;
  readonly timeoutMs: number;
  readonly knownHostsFile: string;
  /** False: host keys are not checked at all. */
  readonly isStrict: boolean;
}

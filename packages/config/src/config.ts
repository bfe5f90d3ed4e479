/** Where machine metadata is concerned: plain key/value pairs. */
export type Metadata = Readonly<Record<string, string>>;

/** A fleet daemon's configuration, checked and typed. Times are in milliseconds. */
export interface Config {
  /** Greater than 0: debug logging. */
  readonly verbosity: number;
  readonly etcd: EtcdConfig;
  /** Address to publish for this machine; null: detect it. */
  readonly publicIP: string | null;
  readonly metadata: Metadata;
  /** A machine silent for longer is gone; whole seconds are used in etcd, rounded up, at least 2. */
  readonly agentTtlMs: number;
  readonly engineReconcileIntervalMs: number;
  /** Entries per page of an API answer, 1 to 65535. */
  readonly tokenLimit: number;
  /** Most bytes of a unit's text that the API takes. */
  readonly unitSizeLimit: number;
  readonly disableEngine: boolean;
  readonly disableWatches: boolean;
  /** Absolute path, without a trailing slash. */
  readonly unitsDirectory: string;
  readonly systemdUser: boolean;
  readonly unitsOnShutdown: "unload" | "keep";
  /** Sockets the API opens itself; none by default. */
  readonly apiListen: readonly ListenAddress[];
  /** TLS of the API's TCP sockets, as PEM texts; null: none. */
  readonly apiTls: { readonly cert: string; readonly key: string; readonly clientCA: string | null } | null;
  /** Who may use the API; null: whoever can open a socket. */
  readonly apiTokens: readonly ApiToken[] | null;
  readonly auditLog: AuditTarget;
  /** Where agent and engine serve metrics; null: nowhere. */
  readonly metricsListen: { readonly agent: HostPort | null; readonly engine: HostPort | null };
  /** auto: text on a journal, else json. */
  readonly logFormat: "auto" | "json" | "text";
  /** How agents reach this API to answer its questions; null: it asks none. */
  readonly link: LinkConfig | null;
}

/** Where the API writes a line for each change that is asked of it. */
export type AuditTarget = { readonly kind: "journal" | "off" } | { readonly kind: "file"; readonly path: string };

/** The API's end of the link, over TCP. */
export interface LinkConfig {
  readonly listen: HostPort;
  /** What agents call; host null: the address that this machine publishes, which is detected. */
  readonly advertise: { readonly host: string | null; readonly port: number };
}

/** An address or a host name, without brackets, and a TCP port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Somebody who may use the API. */
export interface ApiToken {
  /** viewer: may look. operator: may change things, too. */
  readonly role: "viewer" | "operator";
  /** Whether it may read journals, which can hold secrets. By default operators may, and viewers may not. */
  readonly journal: boolean;
  /** Globs: an operator may change only units that match one of them; null: it may change everything. */
  readonly units: readonly string[] | null;
  /** When it ends, in milliseconds since 1970; null: never. */
  readonly expires: number | null;
  /** SHA-256 of the token, 64 hex digits. */
  readonly sha256: string;
  /** For people; empty where the file has none. */
  readonly name: string;
}

/** How to reach etcd, and where in it this cluster lives. */
export interface EtcdConfig {
  /** URLs, `http://` or `https://`; at least one. */
  readonly servers: readonly string[];
  readonly requestTimeoutMs: number;
  /** The PEM texts of the files named in the configuration; null without TLS files. */
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null } | null;
  readonly auth: { readonly username: string; readonly password: string } | null;
  /** Ends with a slash. */
  readonly keyPrefix: string;
}

/** A socket that the API opens itself. */
export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

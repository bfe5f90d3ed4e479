/** How an option's text is read; each kind has one reader in values.ts. */
export type OptionKind =
  | "text"
  | "boolean"
  | "integer"
  | "seconds"
  | "duration"
  | "endpoints"
  | "metadata"
  | "path"
  | "keep-or-unload"
  | "deprecated";

/** One configuration option: the single source for reading, checking and documenting it. */
export interface OptionSpec {
  readonly name: string;
  readonly kind: OptionKind;
  /** The default, as a user would write it. */
  readonly default: string;
  readonly description: string;
}

/** Every option of fleet.conf. The environment name is `FLEET_` and the name in upper case. */
export const OPTIONS = [
  { name: "verbosity", kind: "integer", default: "0", description: "Greater than 0: debug logging." },
  {
    name: "etcd_servers",
    kind: "endpoints",
    default: "http://127.0.0.1:2379,http://127.0.0.1:4001",
    description: 'etcd endpoints, comma-separated or as ["a","b"]; whichever responds is used.',
  },
  {
    name: "etcd_request_timeout",
    kind: "seconds",
    default: "1.0",
    description: "Seconds to allow one etcd request before it counts as failed.",
  },
  {
    name: "etcd_cafile",
    kind: "path",
    default: "",
    description: "CA certificates that etcd's certificate is checked with.",
  },
  { name: "etcd_certfile", kind: "path", default: "", description: "Client certificate for etcd; needs etcd_keyfile." },
  { name: "etcd_keyfile", kind: "path", default: "", description: "Key of the client certificate for etcd." },
  { name: "etcd_username", kind: "text", default: "", description: "User name for etcd's basic authentication." },
  { name: "etcd_password", kind: "text", default: "", description: "Password for etcd's basic authentication." },
  {
    name: "etcd_key_prefix",
    kind: "text",
    default: "/_coreos.com/fleet/",
    description: "Key space of this cluster in etcd.",
  },
  {
    name: "public_ip",
    kind: "text",
    default: "",
    description: "Address published for this machine; empty: the address on the default route's interface.",
  },
  {
    name: "metadata",
    kind: "metadata",
    default: "",
    description: "Comma-separated key=value pairs published for this machine, to place units by.",
  },
  {
    name: "agent_ttl",
    kind: "duration",
    default: "30s",
    description: "A machine silent for longer than this is gone. The heart-beat comes at half of it.",
  },
  {
    name: "engine_reconcile_interval",
    kind: "seconds",
    default: "2",
    description: "Seconds between full reconciliations; changes are acted on at once.",
  },
  { name: "token_limit", kind: "integer", default: "100", description: "Entries per page of an API answer." },
  { name: "disable_engine", kind: "boolean", default: "false", description: "This daemon never leads the cluster." },
  { name: "disable_watches", kind: "boolean", default: "false", description: "Poll etcd instead of watching it." },
  {
    name: "units_directory",
    kind: "path",
    default: "/run/fleet/units/",
    description: "Where the agent writes unit files.",
  },
  {
    name: "systemd_user",
    kind: "boolean",
    default: "false",
    description: "Drive the user's systemd instead of the system's.",
  },
  {
    name: "units_on_shutdown",
    kind: "keep-or-unload",
    default: "unload",
    description: "What a stopping agent does with its units: unload them, or keep them running for its next start.",
  },
  {
    name: "api_listen",
    kind: "endpoints",
    default: "",
    description:
      "Sockets the API opens itself where systemd passes none: unix:///path or http://host:port, comma-separated.",
  },
  {
    name: "enable_grpc",
    kind: "boolean",
    default: "false",
    description: "Accepted for old configurations. Nothing is served over gRPC.",
  },
  { name: "verify_units", kind: "deprecated", default: "", description: "Deprecated and ignored." },
  { name: "authorized_keys_file", kind: "deprecated", default: "", description: "Deprecated and ignored." },
] as const satisfies readonly OptionSpec[];

/** The name of an option of fleet.conf. */
export type OptionName = (typeof OPTIONS)[number]["name"];

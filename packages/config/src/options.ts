/** One configuration option: the single source for reading, checking and documenting it. */
export interface OptionSpec {
  readonly name: string;
  /** The default, as a user would write it. */
  readonly default: string;
  readonly description: string;
}

/** Every option of fleet.conf. The environment name is `FLEET_` and the name in upper case. */
export const OPTIONS = [
  { name: "verbosity", default: "0", description: "Greater than 0: debug logging." },
  {
    name: "etcd_servers",
    default: "http://127.0.0.1:2379,http://127.0.0.1:4001",
    description: 'etcd endpoints, comma-separated or as ["a","b"]; whichever responds is used.',
  },
  {
    name: "etcd_request_timeout",
    default: "1.0",
    description: "Seconds to allow one etcd request before it counts as failed.",
  },
  {
    name: "etcd_cafile",
    default: "",
    description: "CA certificates that etcd's certificate is checked with.",
  },
  { name: "etcd_certfile", default: "", description: "Client certificate for etcd; needs etcd_keyfile." },
  { name: "etcd_keyfile", default: "", description: "Key of the client certificate for etcd." },
  { name: "etcd_username", default: "", description: "User name for etcd's basic authentication." },
  { name: "etcd_password", default: "", description: "Password for etcd's basic authentication." },
  {
    name: "etcd_key_prefix",
    default: "/_coreos.com/fleet/",
    description: "Key space of this cluster in etcd.",
  },
  {
    name: "public_ip",
    default: "",
    description: "Address published for this machine; empty: the address on the default route's interface.",
  },
  {
    name: "metadata",
    default: "",
    description: "Comma-separated key=value pairs published for this machine, to place units by.",
  },
  {
    name: "agent_ttl",
    default: "30s",
    description: "A machine silent for longer than this is gone. The heart-beat comes at half of it.",
  },
  {
    name: "engine_reconcile_interval",
    default: "2",
    description: "Seconds between full reconciliations; changes are acted on at once.",
  },
  { name: "token_limit", default: "100", description: "Entries per page of an API answer." },
  {
    name: "unit_size_limit",
    default: "262144",
    description: "Bytes that a unit's text may have, at most 1048576; the API refuses larger ones with 413.",
  },
  { name: "disable_engine", default: "false", description: "This daemon never leads the cluster." },
  { name: "disable_watches", default: "false", description: "Poll etcd instead of watching it." },
  {
    name: "units_directory",
    default: "/run/fleet/units/",
    description: "Where the agent writes unit files.",
  },
  {
    name: "systemd_user",
    default: "false",
    description: "Drive the user's systemd instead of the system's.",
  },
  {
    name: "units_on_shutdown",
    default: "unload",
    description:
      "What a stopping agent does with its units: unload them, or keep them running for its next start. `systemctl restart` always keeps them.",
  },
  {
    name: "api_listen",
    default: "",
    description:
      "Sockets the API opens itself where systemd passes none: unix:///path or http://host:port, comma-separated.",
  },
  {
    name: "api_tls_certfile",
    default: "",
    description: "Certificate with which the API serves TLS on its TCP sockets; needs api_tls_keyfile.",
  },
  { name: "api_tls_keyfile", default: "", description: "Key of the API's certificate." },
  {
    name: "api_client_cafile",
    default: "",
    description:
      "CA certificates: on TCP only clients with a certificate of theirs are served. Needs api_tls_certfile.",
  },
  {
    name: "api_tokens_file",
    default: "",
    description: "Who may use the API, on every socket; see docs/security.md. Empty: whoever can open a socket.",
  },
  {
    name: "audit_log",
    default: "journal",
    description:
      "Where the API writes a line for each change that is asked of it: journal, off, or the absolute path of a file.",
  },
  {
    name: "link_listen",
    default: "",
    description:
      "Where the API listens for agents, which answer fleetctl journal, status and top: address:port, as 0.0.0.0:49154. Empty: it asks no agent, and they use SSH.",
  },
  {
    name: "link_advertise",
    default: "",
    description:
      "What agents call: address:port. Empty: link_listen, or the machine's public_ip with its port where that is 0.0.0.0 or [::].",
  },
  {
    name: "agent_metrics_listen",
    default: "",
    description: "address:port on which an agent serves its metrics, under /metrics. Empty: nowhere.",
  },
  {
    name: "engine_metrics_listen",
    default: "",
    description: "The same for an engine. An API serves the metrics of its process on its own sockets.",
  },
  {
    name: "log_format",
    default: "auto",
    description:
      "text: a line for people, with the fields behind. json: an object a line. auto: text on a journal, else json.",
  },
  {
    name: "enable_grpc",
    default: "false",
    description: "Accepted for old configurations. Nothing is served over gRPC.",
  },
  { name: "verify_units", default: "", description: "Deprecated and ignored." },
  { name: "authorized_keys_file", default: "", description: "Deprecated and ignored." },
] as const satisfies readonly OptionSpec[];

/** The name of an option of fleet.conf. */
export type OptionName = (typeof OPTIONS)[number]["name"];

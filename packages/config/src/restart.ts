import type { Config } from "./config.ts";
import type { OptionName } from "./options.ts";

/** A part of fleet that a daemon may run. */
type Part = "agent" | "engine" | "api";

/** An option that is read when a daemon starts, and then no more. */
interface StartOption {
  readonly option: OptionName;
  /** The parts that go by it. */
  readonly parts: readonly Part[];
  /** What of the configuration it decides. */
  readonly of: (config: Config) => unknown;
}

const ALL: readonly Part[] = ["agent", "engine", "api"];

/** Every option that takes effect by a restart only; a reload takes the others over. */
const START_OPTIONS: readonly StartOption[] = [
  { option: "etcd_servers", parts: ALL, of: ({ etcd }) => etcd.servers },
  { option: "etcd_request_timeout", parts: ALL, of: ({ etcd }) => etcd.requestTimeoutMs },
  { option: "etcd_cafile", parts: ALL, of: ({ etcd }) => etcd.tls?.ca },
  { option: "etcd_certfile", parts: ALL, of: ({ etcd }) => etcd.tls?.cert },
  { option: "etcd_keyfile", parts: ALL, of: ({ etcd }) => etcd.tls?.key },
  { option: "etcd_username", parts: ALL, of: ({ etcd }) => etcd.auth?.username },
  { option: "etcd_password", parts: ALL, of: ({ etcd }) => etcd.auth?.password },
  { option: "etcd_key_prefix", parts: ALL, of: ({ etcd }) => etcd.keyPrefix },
  { option: "agent_ttl", parts: ALL, of: ({ agentTtlMs }) => agentTtlMs },
  { option: "disable_watches", parts: ALL, of: ({ disableWatches }) => disableWatches },
  { option: "units_directory", parts: ["agent"], of: ({ unitsDirectory }) => unitsDirectory },
  { option: "systemd_user", parts: ["agent"], of: ({ systemdUser }) => systemdUser },
  { option: "api_listen", parts: ["api"], of: ({ apiListen }) => apiListen },
  // Of these only whether there is TLS: a reload takes over what they name.
  { option: "api_tls_certfile", parts: ["api"], of: ({ apiTls }) => apiTls !== null },
  { option: "api_tls_keyfile", parts: ["api"], of: ({ apiTls }) => apiTls !== null },
  { option: "link_listen", parts: ["api"], of: ({ link }) => link?.listen },
  // Also by public_ip, from which it may come.
  { option: "link_advertise", parts: ["api"], of: ({ link }) => link?.advertise },
  { option: "agent_metrics_listen", parts: ["agent"], of: ({ metricsListen }) => metricsListen.agent },
  { option: "engine_metrics_listen", parts: ["engine"], of: ({ metricsListen }) => metricsListen.engine },
  { option: "log_format", parts: ALL, of: ({ logFormat }) => logFormat },
];

/** The names of those; not of the two that are read anew and only decide at the start whether there is TLS. */
export const RESTART_OPTIONS: readonly OptionName[] = START_OPTIONS.map(({ option }) => option).filter(
  (option) => !option.startsWith("api_tls_"),
);

/**
 * The options whose values in a configuration are not in force in a daemon that has started with another one.
 *
 * @param parts what the daemon runs
 */
export function optionsAwaitingRestart(started: Config, next: Config, parts: readonly Part[]): readonly OptionName[] {
  const differs = ({ of }: StartOption): boolean => JSON.stringify(of(started)) !== JSON.stringify(of(next));
  return START_OPTIONS.filter((option) => option.parts.some((part) => parts.includes(part)) && differs(option)).map(
    ({ option }) => option,
  );
}

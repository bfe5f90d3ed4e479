/** Options, fleet.conf, environment and durations: text in, a typed value or a precise error out. */
export { type ConfEntry, type ConfFile, parseConfFile } from "./conf-file.ts";
export type {
  ApiToken,
  AuditTarget,
  Config,
  EtcdConfig,
  HostPort,
  LinkConfig,
  ListenAddress,
  Metadata,
} from "./config.ts";
export { parseDuration } from "./duration.ts";
export { ConfigError } from "./errors.ts";
export { type ConfigSource, type LoadedConfig, loadConfig } from "./load.ts";
export { OPTIONS, type OptionName, type OptionSpec } from "./options.ts";
export { DEFAULT_CONFIG_PATH, readConfig, rereadConfig } from "./read-config.ts";
export { optionsAwaitingRestart, RESTART_OPTIONS } from "./restart.ts";
export { hostPortText } from "./values.ts";
export { VERSION } from "./version.ts";

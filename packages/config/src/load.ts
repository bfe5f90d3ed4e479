import { createPrivateKey, X509Certificate } from "node:crypto";
import { parseConfFile } from "./conf-file.ts";
import type { AuditTarget, Config, EtcdConfig } from "./config.ts";
import { ConfigError } from "./errors.ts";
import { linkConfig } from "./link.ts";
import { OPTIONS, type OptionName } from "./options.ts";
import { parseTokensFile } from "./tokens-file.ts";
import {
  type Read,
  readBoolean,
  readDuration,
  readEndpoints,
  readHostPort,
  readInteger,
  readListen,
  readMetadata,
  readSeconds,
} from "./values.ts";

/** Where a configuration comes from; reading files is the caller's, so that this stays pure. */
export interface ConfigSource {
  /** The configuration file; null where there is none. `path` is only used in messages. */
  readonly file: { readonly path: string; readonly text: string } | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a file named in the configuration; throws an Error whose message says why it can't be read. */
  readonly readFile: (path: string) => string;
}

/** A usable configuration, with sentences the daemon should log: `warnings`, and `errors` that don't keep it from starting. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
  /** How many options the configuration file sets; 0 without a file. */
  readonly optionsInFile: number;
  /** The options that file or environment give, also as empty; the others have their defaults. */
  readonly given: ReadonlySet<OptionName>;
}

interface Given {
  readonly text: string;
  readonly from: string;
}

/**
 * Turns a configuration file and the environment into a checked configuration. The environment wins over the file,
 * the file over the defaults.
 *
 * @throws ConfigError naming every value that can't be used
 */
export function loadConfig(source: ConfigSource): LoadedConfig {
  const problems: string[] = [];
  const warnings: string[] = [];
  const given = gather(source, problems, warnings);

  const value = <T>(name: OptionName, reader: (text: string) => Read<T>, fallback: T): T => {
    const { text, from } = given(name);
    const result = reader(text);
    if (result.ok) return result.value;
    const shown = name === "etcd_password" ? "its value" : JSON.stringify(text);
    problems.push(`option ${name}: ${shown} (from ${from}) is not usable: expected ${result.expected}`);
    return fallback;
  };
  const text = (name: OptionName): string => given(name).text;

  const pem = pemReader(source, text, problems);
  const config: Config = {
    verbosity: value("verbosity", (t) => readInteger(t, -1000, 1000), 0),
    etcd: etcdConfig(pem, value, text, problems, warnings),
    publicIP: text("public_ip") === "" ? null : text("public_ip"),
    metadata: value("metadata", readMetadata, {}),
    agentTtlMs: value("agent_ttl", readDuration, 0),
    engineReconcileIntervalMs: value("engine_reconcile_interval", readSeconds, 0),
    tokenLimit: value("token_limit", (t) => readInteger(t, 1, 65535), 100),
    unitSizeLimit: value("unit_size_limit", (t) => readInteger(t, 1024, 1024 * 1024), 262_144),
    disableEngine: value("disable_engine", readBoolean, false),
    disableWatches: value("disable_watches", readBoolean, false),
    unitsDirectory: value("units_directory", readAbsolutePath, ""),
    systemdUser: value("systemd_user", readBoolean, false),
    unitsOnShutdown: value("units_on_shutdown", readOneOf("unload", "keep"), "unload"),
    metricsListen: {
      agent: value("agent_metrics_listen", readHostPort, null),
      engine: value("engine_metrics_listen", readHostPort, null),
    },
    logFormat: value("log_format", readOneOf("auto", "json", "text"), "auto"),
    apiListen: value("api_listen", readListen, []),
    apiTls: apiTls(pem, text, problems),
    apiTokens: apiTokens(source, text("api_tokens_file"), problems, warnings),
    auditLog: value("audit_log", readAuditTarget, { kind: "off" }),
    link: linkConfig(
      { listen: value("link_listen", readHostPort, null), advertise: value("link_advertise", readHostPort, null) },
      text("public_ip"),
      problems,
      warnings,
    ),
  };
  if (value("enable_grpc", readBoolean, false)) {
    warnings.push("option enable_grpc: fleet serves nothing over gRPC; the option has no effect");
  }
  const errors = (["verify_units", "authorized_keys_file"] as const)
    .filter((name) => given(name).from !== "default")
    .map(
      (name) => `option ${name} (from ${given(name).from}) is deprecated and ignored: signed units are not supported`,
    );
  if (problems.length > 0) throw new ConfigError(problems);
  const optionsInFile = source.file === null ? 0 : parseConfFile(source.file.text).entries.length;
  const names = OPTIONS.map(({ name }) => name).filter((name) => given(name).from !== "default");
  return { config, warnings, errors, optionsInFile, given: new Set(names) };
}

/** Lays environment over file over defaults, and collects what is unknown or unreadable. */
function gather(source: ConfigSource, problems: string[], warnings: string[]): (name: OptionName) => Given {
  const values = new Map<string, Given>();
  for (const option of OPTIONS) values.set(option.name, { text: option.default, from: "default" });
  const { file } = source;
  if (file !== null) {
    const parsed = parseConfFile(file.text);
    for (const { line, message } of parsed.problems) problems.push(`${file.path} line ${line}: ${message}`);
    for (const { key, value, line } of parsed.entries) {
      const from = `${file.path} line ${line}`;
      if (values.has(key)) values.set(key, { text: value, from });
      else warnings.push(`unknown option ${JSON.stringify(key)} (from ${from}) has no effect`);
    }
  }
  for (const [name, text] of Object.entries(source.env)) {
    if (!name.startsWith("FLEET_") || text === undefined) continue;
    const key = name.slice("FLEET_".length).toLowerCase();
    if (values.has(key) && name === `FLEET_${key.toUpperCase()}`) {
      values.set(key, { text: text.replace(/^(["'])(.*)\1$/s, "$2"), from: `environment variable ${name}` });
    } else {
      warnings.push(`unknown option ${JSON.stringify(key)} (from environment variable ${name}) has no effect`);
    }
  }
  return (name) => {
    const found = values.get(name);
    if (found === undefined) throw new Error(`option ${name} is not in the table`);
    return found;
  };
}

/** Reads the PEM file that an option names; null where it names none, or it can't be used. */
type PemReader = (name: OptionName) => string | null;

function pemReader(source: ConfigSource, text: (name: OptionName) => string, problems: string[]): PemReader {
  return (name) => {
    const path = text(name);
    if (path === "") return null;
    try {
      const content = source.readFile(path);
      if (/-----BEGIN [A-Z0-9 ]+-----/.test(content)) return content;
      problems.push(`option ${name}: ${path} is not a PEM file`);
    } catch (error) {
      problems.push(`option ${name}: ${path} can't be read: ${error instanceof Error ? error.message : String(error)}`);
    }
    return null;
  };
}

/** Checks a certificate and its key, named by two options that belong together. */
function checkPair(
  names: readonly [cert: OptionName, key: OptionName],
  { cert, key }: { readonly cert: string | null; readonly key: string | null },
  text: (name: OptionName) => string,
  problems: string[],
): void {
  const [certName, keyName] = names;
  if ((text(certName) === "") !== (text(keyName) === "")) {
    problems.push(`options ${certName} and ${keyName} belong together: give both or neither`);
  }
  if (cert === null || key === null) return;
  const mismatch = pairProblem(cert, key);
  if (mismatch !== null)
    problems.push(`options ${certName} and ${keyName}: ${text(certName)} and ${text(keyName)} ${mismatch}`);
}

function apiTls(pem: PemReader, text: (name: OptionName) => string, problems: string[]): Config["apiTls"] {
  const [cert, key, clientCA] = [pem("api_tls_certfile"), pem("api_tls_keyfile"), pem("api_client_cafile")];
  checkPair(["api_tls_certfile", "api_tls_keyfile"], { cert, key }, text, problems);
  if (text("api_client_cafile") !== "" && text("api_tls_certfile") === "") {
    problems.push(
      "option api_client_cafile needs api_tls_certfile and api_tls_keyfile: clients show certificates over TLS only",
    );
  }
  return cert === null || key === null ? null : { cert, key, clientCA };
}

/** Reads the file of API tokens; null where the option names none. */
function apiTokens(source: ConfigSource, path: string, problems: string[], warnings: string[]): Config["apiTokens"] {
  if (path === "") return null;
  let content: string;
  try {
    content = source.readFile(path);
  } catch (error) {
    problems.push(
      `option api_tokens_file: ${path} can't be read: ${error instanceof Error ? error.message : String(error)}`,
    );
    return [];
  }
  const parsed = parseTokensFile(content);
  for (const { line, expected } of parsed.problems)
    problems.push(`option api_tokens_file: ${path} line ${line}: expected ${expected}`);
  // The last token may be revoked: that must work at once, and not fail and leave the token valid.
  if (parsed.tokens.length === 0 && parsed.problems.length === 0)
    warnings.push(`option api_tokens_file: ${path} has no token: nobody can use the API`);
  return parsed.tokens;
}

function etcdConfig(
  pem: PemReader,
  value: <T>(name: OptionName, reader: (text: string) => Read<T>, fallback: T) => T,
  text: (name: OptionName) => string,
  problems: string[],
  warnings: string[],
): EtcdConfig {
  const servers = value("etcd_servers", readEndpoints, []);
  const tls = { ca: pem("etcd_cafile"), cert: pem("etcd_certfile"), key: pem("etcd_keyfile") };
  checkPair(["etcd_certfile", "etcd_keyfile"], tls, text, problems);
  const username = text("etcd_username");
  const password = text("etcd_password");
  if ((username === "") !== (password === "")) {
    problems.push("options etcd_username and etcd_password belong together: give both or neither");
  }
  const isPlain = servers.some((server) => server.startsWith("http:"));
  const hasTls = tls.ca !== null || tls.cert !== null;
  if (username !== "" && isPlain) {
    warnings.push(
      "option etcd_password: the password goes to etcd without TLS; use https:// endpoints and etcd_cafile",
    );
  }
  if (hasTls && isPlain) {
    warnings.push(
      "TLS files are given for etcd, but an endpoint in etcd_servers begins with http://: it is used without TLS",
    );
  }
  const prefix = text("etcd_key_prefix");
  return {
    servers,
    requestTimeoutMs: value("etcd_request_timeout", readSeconds, 1000),
    tls: hasTls ? tls : null,
    auth: username === "" ? null : { username, password },
    keyPrefix: `/${prefix.replace(/^\/+|\/+$/g, "")}/`.replace(/^\/\/$/, "/"),
  };
}

/** What is wrong with a certificate and its key, as the end of a sentence about the two files; null: nothing. */
function pairProblem(cert: string, key: string): string | null {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) ? null : "do not belong together";
  } catch (error) {
    return `can't be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function readAbsolutePath(text: string): Read<string> {
  if (!text.startsWith("/")) return { ok: false, expected: "an absolute path" };
  return { ok: true, value: text.replace(/(?<=.)\/+$/, "") };
}

function readAuditTarget(text: string): Read<AuditTarget> {
  if (text === "journal" || text === "off") return { ok: true, value: { kind: text } };
  if (/^\/.*[^/]$/.test(text)) return { ok: true, value: { kind: "file", path: text } };
  return { ok: false, expected: "journal, off, or the absolute path of a file" };
}

/** One of these words. */
function readOneOf<T extends string>(...words: readonly [T, ...T[]]): (text: string) => Read<T> {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return { ok: true, value: found };
    return { ok: false, expected: `${words.slice(0, -1).join(", ")} or ${words.at(-1)}` };
  };
}

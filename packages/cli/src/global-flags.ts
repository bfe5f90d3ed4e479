import type { GlobalFlags } from "./context.ts";
import { CommandError } from "./errors.ts";

/** A flag that every command takes; also environment FLEETCTL_<NAME>, which a flag on the line overrides. */
export interface GlobalFlagSpec {
  readonly name: string;
  readonly value: string | null;
  readonly default: string;
  readonly description: string;
}

/** Every global flag. */
export const GLOBAL_FLAGS: readonly GlobalFlagSpec[] = [
  {
    name: "endpoint",
    value: "url",
    default: "unix:///var/run/fleet.sock",
    description: "Where fleet's API is: unix:///path, http://host:port",
  },
  { name: "driver", value: "name", default: "API", description: "API, or etcd to talk to the registry directly" },
  {
    name: "etcd-key-prefix",
    value: "path",
    default: "/_coreos.com/fleet/",
    description: "Key space in etcd, with --driver=etcd",
  },
  { name: "request-timeout", value: "seconds", default: "3.0", description: "Seconds to allow one request" },
  { name: "ca-file", value: "path", default: "", description: "CA certificates, with --driver=etcd" },
  { name: "cert-file", value: "path", default: "", description: "Client certificate, with --driver=etcd" },
  { name: "key-file", value: "path", default: "", description: "Key of the client certificate, with --driver=etcd" },
  { name: "debug", value: null, default: "false", description: "Show where an error comes from" },
];

/** Flags that old scripts give: accepted, without effect or as another name of a present one. */
export const DEPRECATED_FLAGS: readonly { readonly flags: string; readonly now: string | null }[] = [
  { flags: "--experimental-api", now: null },
  { flags: "--etcd-cafile <path>", now: "caFile" },
  { flags: "--etcd-certfile <path>", now: "certFile" },
  { flags: "--etcd-keyfile <path>", now: "keyFile" },
];

/** Lays the flags of the line over the environment over the defaults. */
export function readGlobalFlags(line: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv): GlobalFlags {
  const value = (name: string): string => {
    const spec = GLOBAL_FLAGS.find((flag) => flag.name === name);
    const given = line[camelCase(name)] ?? line[oldName(camelCase(name))];
    const inherited = env[`FLEETCTL_${name.replaceAll("-", "_").toUpperCase()}`];
    return String(given ?? (inherited === "" ? undefined : inherited) ?? spec?.default ?? "");
  };
  const seconds = Number(value("request-timeout"));
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > 86_400) {
    throw new CommandError(
      `invalid --request-timeout ${JSON.stringify(value("request-timeout"))}: expected seconds greater than 0`,
    );
  }
  return {
    endpoint: value("endpoint"),
    driver: driver(value("driver"), value("endpoint")),
    etcdKeyPrefix: value("etcd-key-prefix"),
    requestTimeoutMs: seconds * 1000,
    caFile: value("ca-file"),
    certFile: value("cert-file"),
    keyFile: value("key-file"),
    debug: /^(true|1|t)$/i.test(value("debug")),
  };
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_match, letter: string) => letter.toUpperCase());
}

function oldName(now: string): string {
  const flags = DEPRECATED_FLAGS.find((flag) => flag.now === now)?.flags ?? "";
  return camelCase(/^--([a-z-]+)/.exec(flags)?.[1] ?? "");
}

/** An endpoint on one of etcd's ports is etcd's, as it was with the old fleetctl. */
function driver(name: string, endpoint: string): "API" | "etcd" {
  if (/^etcd$/i.test(name)) return "etcd";
  if (!/^api$/i.test(name)) throw new CommandError(`invalid --driver ${JSON.stringify(name)}: expected API or etcd`);
  return /^https?:\/\/[^/]*:(2379|4001)\/?$/.test(endpoint) ? "etcd" : "API";
}

import { CommandError } from "../errors.ts";
import type { GlobalFlags } from "./flag-values.ts";

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
    description:
      "Address of fleet's API: unix:///path, http://host:port, https://host:port; several, separated by commas, are tried in turn",
  },
  { name: "driver", value: "name", default: "API", description: "API, or etcd to talk to the registry directly" },
  {
    name: "etcd-key-prefix",
    value: "path",
    default: "/_coreos.com/fleet/",
    description: "Key space in etcd, with --driver=etcd",
  },
  { name: "request-timeout", value: "seconds", default: "3.0", description: "Timeout of a request, in seconds" },
  { name: "ca-file", value: "path", default: "", description: "CA certificates, for https and for --driver=etcd" },
  { name: "cert-file", value: "path", default: "", description: "Client certificate, for https and for --driver=etcd" },
  { name: "key-file", value: "path", default: "", description: "Key of the client certificate" },
  { name: "token-file", value: "path", default: "", description: "File with the bearer token for the API" },
  {
    name: "tunnel",
    value: "host[:port]",
    default: "",
    description: "Reach the API and the machines through an SSH tunnel to this host",
  },
  { name: "ssh-username", value: "name", default: "core", description: "User name for SSH" },
  { name: "ssh-timeout", value: "seconds", default: "10.0", description: "Timeout of an SSH connection, in seconds" },
  {
    name: "known-hosts-file",
    value: "path",
    default: "~/.fleetctl/known_hosts",
    description: "File with the keys of SSH hosts",
  },
  {
    name: "strict-host-key-checking",
    value: null,
    default: "true",
    description: "Check the keys of SSH hosts; =false: do not",
  },
  { name: "debug", value: null, default: "false", description: "Print stack traces of errors" },
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
  return {
    endpoint: value("endpoint"),
    driver: driver(value("driver"), value("endpoint")),
    etcdKeyPrefix: value("etcd-key-prefix"),
    requestTimeoutMs: milliseconds("request-timeout", value("request-timeout")),
    caFile: value("ca-file"),
    certFile: value("cert-file"),
    keyFile: value("key-file"),
    tokenFile: value("token-file"),
    ssh: {
      tunnel: value("tunnel") || null,
      username: username(value("ssh-username")),
      timeoutMs: milliseconds("ssh-timeout", value("ssh-timeout")),
      knownHostsFile: value("known-hosts-file").replace(/^~(?=\/)/, env.HOME ?? "~"),
      isStrict: truth("strict-host-key-checking", value("strict-host-key-checking")),
    },
    debug: truth("debug", value("debug")),
  };
}

function milliseconds(name: string, text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && Number.isFinite(seconds) && seconds > 0 && seconds <= 86_400) return seconds * 1000;
  throw new CommandError(`invalid --${name} ${JSON.stringify(text)}: expected seconds greater than 0`);
}

function truth(name: string, text: string): boolean {
  if (/^(true|t|1)$/i.test(text)) return true;
  if (/^(false|f|0)$/i.test(text)) return false;
  throw new CommandError(`invalid --${name} ${JSON.stringify(text)}: expected true or false`);
}

function username(text: string): string {
  if (/^[^-\s\0][^\s\0]*$/.test(text)) return text;
  throw new CommandError(`invalid --ssh-username ${JSON.stringify(text)}: expected a user's name`);
}

/** A flag's name as the parser gives it. */
export function camelCase(name: string): string {
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
  const isEtcd = (url: string): boolean => /^https?:\/\/[^/]*:(2379|4001)\/?$/.test(url);
  return endpoint.split(",").every(isEtcd) ? "etcd" : "API";
}

import type { HostPort, ListenAddress, Metadata } from "./config.ts";
import { parseDuration } from "./duration.ts";

/** A value read from text, or what was expected instead. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly expected: string };

const read = <T>(value: T): Read<T> => ({ ok: true, value });
const expected = (what: string): Read<never> => ({ ok: false, expected: what });

/** Booleans as Go's strconv.ParseBool reads them, in any case. */
export function readBoolean(text: string): Read<boolean> {
  if (/^(true|t|1)$/i.test(text)) return read(true);
  if (/^(false|f|0)$/i.test(text)) return read(false);
  return expected("true or false");
}

/** A whole number within bounds. */
export function readInteger(text: string, least: number, most: number): Read<number> {
  const value = Number(text);
  if (!/^[+-]?\d{1,10}$/.test(text) || value < least || value > most) {
    return expected(`a whole number from ${least} to ${most}`);
  }
  return read(value);
}

/** A number of seconds greater than 0, given plainly (`1.5`) or as a duration (`1500ms`); in milliseconds. */
export function readSeconds(text: string): Read<number> {
  const milliseconds = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (milliseconds === null || milliseconds < 1 || milliseconds > 86_400_000) {
    return expected("seconds greater than 0 and at most a day, such as 1.5");
  }
  return read(milliseconds);
}

/** A duration of at least a millisecond, in milliseconds. */
export function readDuration(text: string): Read<number> {
  const milliseconds = parseDuration(text);
  if (milliseconds === null || milliseconds < 1 || milliseconds > 86_400_000) {
    return expected("a duration with its unit, greater than 0 and at most a day, such as 30s or 1m30s");
  }
  return read(milliseconds);
}

/** A list: `a,b` or `["a","b"]`; empty entries are dropped. */
export function readList(text: string): readonly string[] {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  return bare
    .split(",")
    .map((entry) => entry.trim().replace(/^(["'])(.*)\1$/, "$2"))
    .filter((entry) => entry !== "");
}

/** etcd endpoints: URLs with http or https, host and optional port. */
export function readEndpoints(text: string): Read<readonly string[]> {
  const servers = readList(text);
  const what = "one or more URLs such as http://192.0.2.12:2379, comma-separated";
  if (servers.length === 0) return expected(what);
  const urls: string[] = [];
  for (const server of servers) {
    const url = URL.canParse(server) ? new URL(server) : null;
    if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "" || !/^\/?$/.test(url.pathname)) {
      return expected(what);
    }
    urls.push(`${url.protocol}//${url.host}`);
  }
  return read(urls);
}

/** Sockets to listen on: `unix:///path` or `http://host:port`. */
export function readListen(text: string): Read<readonly ListenAddress[]> {
  const addresses: ListenAddress[] = [];
  for (const entry of readList(text)) {
    const url = URL.canParse(entry) ? new URL(entry) : null;
    if (url?.protocol === "unix:" && url.host === "" && url.pathname.length > 1) {
      addresses.push({ kind: "unix", path: url.pathname });
    } else if (url?.protocol === "http:" && url.hostname !== "") {
      const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
      addresses.push({ kind: "tcp", host, port: url.port === "" ? 80 : Number(url.port) });
    } else {
      return expected("unix:///path or http://host:port, comma-separated");
    }
  }
  return read(addresses);
}

/** `host:port`, an IPv6 address in brackets; null where the text is empty. */
export function readHostPort(text: string): Read<HostPort | null> {
  if (text === "") return read(null);
  const [, host = "", port = ""] = /^([^\s:/@?#[\]]+|\[[0-9a-f:.]+\]):(\d{1,5})$/i.exec(text) ?? [];
  const url = host !== "" && URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : null;
  if (url === null || Number(port) < 1 || Number(port) > 65535)
    return expected("address:port, such as 192.0.2.1:49154 or [2001:db8::1]:49154");
  return read({ host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) });
}

/** The same as text, with an IPv6 address in brackets. */
export function hostPortText({ host, port }: HostPort): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** `k=v,k2=v2`: white space around `=` and `,` is dropped, the last of a repeated key wins. */
export function readMetadata(text: string): Read<Metadata> {
  const pairs = new Map<string, string>();
  for (const pair of text.split(",")) {
    if (pair.trim() === "") continue;
    const equals = pair.indexOf("=");
    const key = pair.slice(0, Math.max(equals, 0)).trim();
    const value = pair.slice(equals + 1).trim();
    if (equals < 1 || key === "" || value === "" || value.includes("=")) {
      return expected("key=value pairs, comma-separated");
    }
    pairs.set(key, value);
  }
  return read(Object.fromEntries(pairs));
}

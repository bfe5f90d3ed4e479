import { describe, expect, it } from "vitest";
import { loadConfig } from "./load.ts";
import { OPTIONS } from "./options.ts";
import { optionsAwaitingRestart, RESTART_OPTIONS } from "./restart.ts";

const configOf = (text: string) =>
  loadConfig({ file: { path: "fleet.conf", text }, env: {}, readFile: (path) => path }).config;
const awaiting = (before: string, after: string, ...parts: ("agent" | "engine" | "api")[]) =>
  optionsAwaitingRestart(configOf(before), configOf(after), parts.length === 0 ? ["agent", "engine", "api"] : parts);

/** Another value than the default of each option that a reload takes over. */
const RELOADED: Readonly<Record<string, string>> = {
  verbosity: "1",
  public_ip: "192.0.2.1",
  metadata: "a=b",
  engine_reconcile_interval: "3",
  token_limit: "7",
  unit_size_limit: "2048",
  disable_engine: "true",
  units_on_shutdown: "keep",
  audit_log: "off",
};
/** The same of those that are read at the start. */
const STARTED: Readonly<Record<string, string>> = {
  etcd_servers: "http://192.0.2.1:2379",
  etcd_request_timeout: "2",
  etcd_key_prefix: "/other/",
  agent_ttl: "31s",
  disable_watches: "true",
  units_directory: "/run/other",
  systemd_user: "true",
  api_listen: "unix:///run/x.sock",
  agent_metrics_listen: "127.0.0.1:1",
  engine_metrics_listen: "127.0.0.1:1",
  log_format: "json",
};
/** Those that do not stand alone, or have no effect. */
const OTHER =
  /^(etcd_(cafile|certfile|keyfile|username|password)|api_(tls|client|tokens)_.*|link_.*|enable_grpc|verify_units|authorized_keys_file)$/;

describe("of the options that changed", () => {
  it.each(Object.entries(RELOADED))("%s awaits no restart", (name, value) =>
    expect(awaiting("", `${name}=${value}`)).toEqual([]),
  );
  it.each(Object.entries(STARTED))("%s awaits one", (name, value) =>
    expect(awaiting("", `${name}=${value}`)).toEqual([name]),
  );
  it("every option is one or the other", () => {
    const known = [...Object.keys(RELOADED), ...Object.keys(STARTED)];
    expect(OPTIONS.map(({ name }) => name).filter((name) => !known.includes(name) && !OTHER.test(name))).toEqual([]);
    expect(Object.keys(STARTED).filter((name) => !(RESTART_OPTIONS as readonly string[]).includes(name))).toEqual([]);
  });
  it("those of etcd's user and of the link await one", () => {
    expect(awaiting("", "etcd_username=a\netcd_password=b")).toEqual(["etcd_username", "etcd_password"]);
    expect(awaiting("", "link_listen=192.0.2.1:1")).toEqual(["link_listen", "link_advertise"]);
    expect(
      awaiting("link_listen=0.0.0.0:1\npublic_ip=192.0.2.1", "link_listen=0.0.0.0:1\npublic_ip=192.0.2.2"),
    ).toEqual(["link_advertise"]);
  });
  it("only those count that the daemon's own parts go by", () => {
    const changed = "api_listen=unix:///run/x.sock\nunits_directory=/run/other\nengine_metrics_listen=127.0.0.1:1";
    expect(awaiting("", changed, "agent")).toEqual(["units_directory"]);
    expect(awaiting("", changed, "engine")).toEqual(["engine_metrics_listen"]);
    expect(awaiting("", changed, "api")).toEqual(["api_listen"]);
  });
  it("the same value in other words is no change", () =>
    expect(awaiting("agent_ttl=60s\netcd_request_timeout=1", "agent_ttl=1m\netcd_request_timeout=1.0")).toEqual([]));
});

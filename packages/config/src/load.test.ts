import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigError, loadConfig, OPTIONS, parseConfFile, parseDuration, readConfig, VERSION } from "./index.ts";
import { hostPortText, readHostPort } from "./values.ts";

const folder = mkdtempSync(join(tmpdir(), "fleet-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

const load = (text: string | null, env: Record<string, string> = {}) =>
  loadConfig({
    file: text === null ? null : { path: "/etc/fleet/fleet.conf", text },
    env,
    readFile: (path) => readFileSync(path, "utf8"),
  });
const problems = (text: string | null, env: Record<string, string> = {}): readonly string[] => {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe("durations", () => {
  it.each([
    ["30s", 30_000],
    ["1m30s", 90_000],
    ["500ms", 500],
    ["1.5h", 5_400_000],
    ["0", 0],
    ["-2s", -2_000],
    [".5s", 500],
  ])("reads %s as %d ms", (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));
  it.each(["", "30", "s", "1x", "1m 30s", "1e3s", "--1s", "9".repeat(100)])("refuses %j", (text) =>
    expect(parseDuration(text)).toBeNull(),
  );
});

describe("the configuration file", () => {
  it("takes quotes off, skips comments and keeps a # inside a value", () => {
    const { entries, problems } = parseConfFile(`# a\n; b\nx = 'one two'\ny="q"\netcd_password=a#b;c\n\n`);
    expect(problems).toEqual([]);
    expect(entries.map(({ key, value, line }) => [key, value, line])).toEqual([
      ["x", "one two", 3],
      ["y", "q", 4],
      ["etcd_password", "a#b;c", 5],
    ]);
  });
  it("names the line of what it can't read", () => {
    expect(problems("[fleet]\nverbosity\n")).toEqual([
      "/etc/fleet/fleet.conf line 1: sections are not supported: move the options out of [fleet]",
      '/etc/fleet/fleet.conf line 2: expected key=value, found "verbosity"',
    ]);
  });
});

describe("the configuration", () => {
  it("has the defaults that docs/configuration.md lists", () => {
    const { config, warnings, errors } = load(null);
    expect(warnings).toEqual([]);
    expect(errors).toEqual([]);
    expect(config).toMatchObject({
      verbosity: 0,
      etcd: {
        servers: ["http://127.0.0.1:2379", "http://127.0.0.1:4001"],
        requestTimeoutMs: 1000,
        tls: null,
        auth: null,
        keyPrefix: "/_coreos.com/fleet/",
      },
      publicIP: null,
      metadata: {},
      agentTtlMs: 30_000,
      engineReconcileIntervalMs: 2000,
      tokenLimit: 100,
      disableEngine: false,
      disableWatches: false,
      unitsDirectory: "/run/fleet/units",
      systemdUser: false,
      unitsOnShutdown: "unload",
      apiListen: [],
      link: null,
    });
  });
  it("lets the environment win over the file, and the last line over an earlier one", () => {
    const { config } = load("token_limit=5\ntoken_limit=6\nagent_ttl=1m\n", { FLEET_AGENT_TTL: "45s" });
    expect(config.tokenLimit).toBe(6);
    expect(config.agentTtlMs).toBe(45_000);
  });
  it.each([
    ['etcd_servers=["http://a:1","https://b:2/"]', ["http://a:1", "https://b:2"]],
    ["etcd_servers=http://a:1, http://b:2", ["http://a:1", "http://b:2"]],
  ])("reads %s", (text, servers) => expect(load(text).config.etcd.servers).toEqual(servers));
  it("drops white space in metadata and keeps the last of a repeated key", () => {
    expect(load('metadata=" a = 1 , b=2,a =3"').config.metadata).toEqual({ a: "3", b: "2" });
  });
  it.each([
    ["true", true],
    ["T", true],
    ["1", true],
    ["F", false],
    ["0", false],
  ])("reads the boolean %s", (text, value) => expect(load(`disable_engine=${text}`).config.disableEngine).toBe(value));

  it.each([
    ["agent_ttl=soon", "agent_ttl", "a duration"],
    ["etcd_request_timeout=0", "etcd_request_timeout", "seconds greater than 0"],
    ["token_limit=0", "token_limit", "a whole number from 1 to 65535"],
    ["etcd_servers=ftp://x", "etcd_servers", "URLs"],
    ["disable_watches=perhaps", "disable_watches", "true or false"],
    ["metadata=novalue", "metadata", "key=value pairs"],
    ["units_directory=run/x", "units_directory", "an absolute path"],
    ["units_on_shutdown=drop", "units_on_shutdown", "unload or keep"],
    ["api_listen=tcp://x", "api_listen", "unix:///path or http://host:port"],
    ["audit_log=audit.log", "audit_log", "journal, off, or the absolute path of a file"],
    ["link_listen=192.0.2.1", "link_listen", "address:port"],
    ["link_listen=:49154", "link_listen", "address:port"],
    ["link_listen=http://192.0.2.1:49154", "link_listen", "address:port"],
    ["link_listen=2001:db8::1:49154", "link_listen", "address:port"],
    ["link_advertise=192.0.2.1:0", "link_advertise", "address:port"],
    ["link_advertise=192.0.2.1:65536", "link_advertise", "address:port"],
  ])("refuses %s, naming option, value, source and what is expected", (text, option, expected) => {
    const [problem] = problems(text);
    expect(problem).toContain(
      `option ${option}: ${JSON.stringify(text.split("=")[1])} (from /etc/fleet/fleet.conf line 1)`,
    );
    expect(problem).toContain(expected);
  });
  it("reports every problem at once", () => expect(problems("agent_ttl=x\ntoken_limit=y\n")).toHaveLength(2));
  it("never shows a password", () => expect(problems("etcd_password=geheim\n").join()).not.toContain("geheim"));
  it("warns of unknown keys, from file and environment, by name", () => {
    const { warnings } = load("etcd_severs=x\n", { FLEET_NOPE: "1", FLEETCTL_ENDPOINT: "x" });
    expect(warnings).toEqual([
      'unknown option "etcd_severs" (from /etc/fleet/fleet.conf line 1) has no effect',
      'unknown option "nope" (from environment variable FLEET_NOPE) has no effect',
    ]);
  });
  it("accepts deprecated options with an error line each, and enable_grpc with a warning", () => {
    const { errors, warnings } = load("verify_units=true\nauthorized_keys_file=/x\nenable_grpc=true\n");
    expect(errors.map((line) => /option (\w+)/.exec(line)?.[1])).toEqual(["verify_units", "authorized_keys_file"]);
    expect(warnings[0]).toContain("enable_grpc");
  });
  it("wants both halves of a TLS pair, and of user and password", () => {
    const pem = join(folder, "cert.pem");
    writeFileSync(pem, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
    expect(problems(`etcd_certfile=${pem}`)).toEqual([
      "options etcd_certfile and etcd_keyfile belong together: give both or neither",
    ]);
    expect(problems("etcd_username=u")[0]).toContain("etcd_username and etcd_password belong together");
  });
  it.each([
    ["a missing file", "nowhere.pem", "there is no such file"],
    ["a directory", ".", "it is a directory"],
    ["a file that is no PEM", "plain", "is not a PEM file"],
  ])("names the TLS file that is %s", (_what, name, reason) => {
    writeFileSync(join(folder, "plain"), "hello");
    try {
      readConfigWith(`etcd_cafile=${join(folder, name)}`);
      expect.unreachable();
    } catch (error) {
      expect(String(error)).toContain(join(folder, name));
      expect(String(error)).toContain(reason);
    }
  });
  it("warns of a password that travels without TLS", () => {
    expect(load("etcd_username=u\netcd_password=p\n").warnings[0]).toContain("without TLS");
  });
});

function readConfigWith(text: string): void {
  const path = join(folder, "fleet.conf");
  writeFileSync(path, text);
  readConfig(path, {});
}

describe("reading it from disk", () => {
  it("needs a file that is named to be there, and to be a file", () => {
    expect(() => readConfig(join(folder, "none.conf"), {})).toThrow("there is no such file");
    mkdirSync(join(folder, "dir.conf"));
    expect(() => readConfig(join(folder, "dir.conf"), {})).toThrow("it is a directory");
  });
});

it("carries the version of package.json", () => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string;
  };
  expect(VERSION).toBe(manifest.version);
});

it("describes every option with a sentence", () => {
  for (const { name, description } of OPTIONS) expect(description, name).toMatch(/\.$/);
});

describe("the API's security", () => {
  const load = (env: Record<string, string>, files: Record<string, string> = {}) =>
    loadConfig({
      file: null,
      env,
      readFile: (path) => {
        const text = files[path];
        if (text === undefined) throw new Error("no such file or directory");
        return text;
      },
    });
  const hash = "a".repeat(64);
  it("reads tokens, comments aside", () => {
    const files = { "/t": `# x\n\nviewer ${hash} a b\nOPERATOR ${"B".repeat(64)}\n` };
    expect(load({ FLEET_API_TOKENS_FILE: "/t" }, files).config.apiTokens).toEqual([
      { role: "viewer", sha256: hash, name: "a b", journal: false, units: null, expires: null },
      { role: "operator", sha256: "b".repeat(64), name: "", journal: true, units: null, expires: null },
    ]);
    expect(load({}).config.apiTokens).toBeNull();
  });
  it.each([
    [`viewer journal=yes ${hash} a`, { role: "viewer", name: "a", journal: true }],
    [`operator  journal=no  ${hash}`, { role: "operator", name: "", journal: false }],
    [`viewer ${hash} journal=yes`, { role: "viewer", name: "journal=yes", journal: false }],
    [`operator units=web@*,[a-c]?.timer ${hash}`, { units: ["web@*", "[a-c]?.timer"] }],
    [`operator units=a expires=2027-01-31 ${hash}`, { units: ["a"], expires: Date.UTC(2027, 1, 1) }],
    [`viewer expires=2027-01-31T18:00:00+01:00 ${hash}`, { expires: Date.UTC(2027, 0, 31, 17) }],
  ])("reads the fields of %s", (line, token) =>
    expect(load({ FLEET_API_TOKENS_FILE: "/t" }, { "/t": line }).config.apiTokens).toMatchObject([token]),
  );
  it("takes a file of tokens that has none for nobody, so that the last one can be revoked", () => {
    const { config, warnings } = load({ FLEET_API_TOKENS_FILE: "/t" }, { "/t": "# none\n" });
    expect([config.apiTokens, warnings.join()]).toEqual([[], expect.stringContaining("nobody can use the API")]);
  });
  it.each([
    ["a file that is not there", {}, "api_tokens_file: /t can't be read: no such file"],
    ["a plain token", { "/t": "viewer secret\n" }, "/t line 1: expected viewer or operator, fields"],
    [
      "an unknown field",
      { "/t": `viewer journals=yes ${hash}` },
      '/t line 1: expected journal, units, expires as fields, found "journals=yes"',
    ],
    [
      "a field without a usable value",
      { "/t": `viewer journal= ${hash}` },
      "/t line 1: expected journal=yes or journal=no",
    ],
    ["an unknown role", { "/t": `root ${hash}\n` }, "/t line 1: expected viewer or operator"],
  ])("refuses %s", (_what, files, message) => {
    expect(() => load({ FLEET_API_TOKENS_FILE: "/t" }, files as Record<string, string>)).toThrow(message);
  });
  it("refuses half a TLS pair, and a CA for clients without TLS", () => {
    const files = { "/c": "-----BEGIN CERTIFICATE-----" };
    expect(() => load({ FLEET_API_TLS_CERTFILE: "/c" }, files)).toThrow(
      "options api_tls_certfile and api_tls_keyfile belong together",
    );
    expect(() => load({ FLEET_API_CLIENT_CAFILE: "/c" }, files)).toThrow("api_client_cafile needs api_tls_certfile");
  });
});

it.each([
  ["", { kind: "journal" }],
  ["audit_log=off", { kind: "off" }],
  ["audit_log=/var/log/a", { kind: "file", path: "/var/log/a" }],
])("audits by %j", (text, target) => expect(load(text).config.auditLog).toEqual(target));

describe("the link", () => {
  it.each([
    ["link_listen=192.0.2.1:1", { host: "192.0.2.1", port: 1 }, { host: "192.0.2.1", port: 1 }],
    ["link_listen=[2001:DB8::1]:1", { host: "2001:db8::1", port: 1 }, { host: "2001:db8::1", port: 1 }],
    ["link_listen=0.0.0.0:1", { host: "0.0.0.0", port: 1 }, { host: null, port: 1 }],
    ["link_listen=[0::0]:1\npublic_ip=192.0.2.7", { host: "::", port: 1 }, { host: "192.0.2.7", port: 1 }],
    [
      "link_listen=0.0.0.0:1\nlink_advertise=api.example.com:2\npublic_ip=192.0.2.7",
      { host: "0.0.0.0", port: 1 },
      { host: "api.example.com", port: 2 },
    ],
  ])("of %j listens and is advertised", (text, listen, advertise) =>
    expect(load(text).config.link).toEqual({ listen, advertise }),
  );
  it("is not advertised by an address that nobody can call", () =>
    expect(problems("link_listen=0.0.0.0:1\nlink_advertise=[::]:1")[0]).toContain("agents can't call ::"));
  it("that is advertised and listens nowhere is warned of", () =>
    expect(load("link_advertise=192.0.2.1:1").warnings).toEqual([
      "option link_advertise has no effect without link_listen",
    ]));
});

it.each(["192.0.2.1:1", "[2001:db8::1]:65535", "api.example.com:80"])("%s is written as it is read", (text) => {
  const read = readHostPort(text);
  expect(read.ok && read.value !== null && hostPortText(read.value)).toBe(text);
});

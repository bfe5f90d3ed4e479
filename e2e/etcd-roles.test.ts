import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KINDS } from "@fleet/domain/cluster";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

const PREFIX = "/_coreos.com/fleet";
const SECRETS = { ROOT_SECRET: "r1", ENGINE_SECRET: "e2", API_SECRET: "a3", AGENT_SECRET: "m4" };
const page = readFileSync(join(ROOT, "docs/security.md"), "utf8");
const section = page.slice(page.indexOf("### A user for each part"));
const [forCluster = "", forMachine = ""] = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);

let cluster: TestCluster;
let ids: readonly string[];
/** Runs a script where etcd is, as an operator does. */
const atEtcd = (script: string, env: Readonly<Record<string, string>> = {}): Promise<string> =>
  cluster.cluster.network.inside(
    ...["env", "ETCDCTL_API=3", `ETCDCTL_ENDPOINTS=${cluster.cluster.etcdURL}`],
    ...Object.entries({ ...SECRETS, ...env }).map(([name, value]) => `${name}=${value}`),
    ...["sh", "-euc", script],
  );
const on = (index: number, ...command: string[]): Promise<string> => cluster.cluster.network.must(index, ...command);
const logIn = (index: number, user: string, secret: string, service: string): Promise<string> =>
  on(
    index,
    "sh",
    "-c",
    `printf 'etcd_username=${user}\\netcd_password=${secret}\\n' >>/etc/fleet/fleet.conf && systemctl restart ${service}`,
  );

beforeAll(async () => {
  cluster = await TestCluster.start([{ engine: true }, { api: true }, { agent: true }, { agent: true }]);
  ids = await Promise.all([3, 4].map(async (index) => (await on(index, "cat", "/etc/machine-id")).trim()));
  await atEtcd(forCluster);
  for (const ID of ids) await atEtcd(forMachine, { ID });
  await atEtcd("etcdctl auth enable");
  await logIn(1, "fleet-engine", SECRETS.ENGINE_SECRET, "fleet-engine");
  await logIn(2, "fleet-api", SECRETS.API_SECRET, "fleet-api");
  for (const [index, id] of ids.entries())
    await logIn(index + 3, `fleet-agent-${id}`, SECRETS.AGENT_SECRET, "fleet-agent");
  await cluster.until("both machines to be there", async () => {
    const { status, text } = await cluster.api.send("GET", "/machines");
    return status === 200 && ids.every((id) => text.includes(id));
  });
});
afterAll(() => cluster?.stop());

describe("a cluster whose parts are etcd users of their own", () => {
  it("starts, moves, replaces and destroys units, keeps cordons and labels, and no part is refused anything", async () => {
    const file = cluster.file("app.service", `# why\n${SLEEP}`);
    await cluster.ok("start", file);
    const from = await cluster.hostOf("app.service");
    const id = ids[from - 3] ?? "";
    await cluster.ok("drain", id);
    await cluster.until("it to move", async () => (await cluster.activeOn("app.service")).join() === String(7 - from));
    await cluster.ok("uncordon", id);
    await cluster.ok("set-metadata", id, "disk=ssd");
    cluster.file("app.service", `${SLEEP}[X-Fleet]\nMachineMetadata=disk=ssd\n`);
    await cluster.ok("start", "--replace", file);
    expect(await cluster.hostOf("app.service")).toBe(from);
    await cluster.ok("start", cluster.file("all.service", `${SLEEP}[X-Fleet]\nGlobal=true\n`));
    expect(await cluster.activeOn("all.service")).toEqual([3, 4]);
    const once = cluster.file(
      "once.service",
      "[Service]\nType=oneshot\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=host=h3\n",
    );
    await cluster.ok("start", once);
    await cluster.ok("destroy", "app.service", "all.service", "once.service");
    await cluster.until("all to be gone", async () => (await on(3, "ls", "/run/fleet/units")).trim() === "");
    for (const [index, service] of [
      [1, "fleet-engine"],
      [2, "fleet-api"],
      [3, "fleet-agent"],
      [4, "fleet-agent"],
    ] as const) {
      const invocation = await cluster.show(index, service, "InvocationID");
      const log = await on(index, "journalctl", "-o", "cat", `_SYSTEMD_INVOCATION_ID=${invocation}`);
      expect(log).toContain("fleetd is starting");
      expect(log, service).not.toMatch(/forbidden|permission denied/);
    }
  });
});

describe("an etcd user of one part", () => {
  const key = (path: string): string => `${PREFIX}/${path}`;
  /** What etcd says to a user's command. */
  const tries = (user: string, secret: string, command: string): Promise<string> =>
    atEtcd(`etcdctl --user='${user}:${secret}' ${command} 2>&1 || true`);
  const DENIED = /permission denied/;

  it("of a machine can't write what is not its own, nor read another's", async () => {
    const [own = "", other = ""] = ids;
    const agent = (command: string): Promise<string> => tries(`fleet-agent-${own}`, SECRETS.AGENT_SECRET, command);
    const foreign = [
      ...["units/x.service", "unit-files/0a", "sources/0a", "global/x.service", "deletions/00", "moves/x.service"],
      ...["engine/leader", "engine/version", `cordons/${own}`, `machine-metadata/${own}/disk`],
      ...[`schedule/${own}/x.service`, `schedule/${other}/x.service`, `states/${other}/x.service`],
      ...[`machines/${other}`, `known-machines/${other}`, `ended/${other}/x.service`, `machines/${own}0`],
    ];
    for (const path of foreign) {
      expect(await agent(`put ${key(path)} x`), path).toMatch(DENIED);
      expect(await agent(`del ${key(path)}`), path).toMatch(DENIED);
    }
    for (const path of [`schedule/${other}/`, `states/${other}/`, "machines/", "cordons/", "sources/", ""])
      expect(await agent(`get --prefix ${key(path)}`), path).toMatch(DENIED);
    expect(await agent("get --prefix /elsewhere/")).toMatch(DENIED);
    expect(await agent(`get --prefix ${key(`schedule/${own}/`)}`)).not.toMatch(DENIED);
    expect(await agent(`put ${key(`states/${own}/probe.service`)} x`)).toMatch(/^OK/);
    expect(await agent(`del ${key(`states/${own}/probe.service`)}`)).toMatch(/^1/);
    expect(await agent("user add jo:x")).toMatch(DENIED);
  });
  it("of a machine can't end another's lease", async () => {
    const [own = "", other = ""] = ids;
    const root = (command: string): Promise<string> => tries("root", SECRETS.ROOT_SECRET, command);
    const lease = /"lease":(\d+)/.exec(await root(`get ${key(`machines/${other}`)} -w json`))?.[1] ?? "";
    const hex = BigInt(lease).toString(16);
    expect(await tries(`fleet-agent-${own}`, SECRETS.AGENT_SECRET, `lease revoke ${hex}`)).toMatch(DENIED);
  });
  it.each([
    ["engine", "fleet-engine", SECRETS.ENGINE_SECRET],
    ["api", "fleet-api", SECRETS.API_SECRET],
  ] as const)("of the %s can't write what only others write", async (part, user, secret) => {
    const sample: Readonly<Record<string, string>> = { engine: "engine/other" };
    for (const { path, writers } of Object.values(KINDS)) {
      if ((writers as readonly string[]).includes(part)) continue;
      const name = sample[path] ?? (path.includes("/") ? path : `${path}/x`);
      expect(await tries(user, secret, `put ${key(name)} x`), path).toMatch(DENIED);
    }
    expect(await tries(user, secret, "put /elsewhere/x x")).toMatch(DENIED);
  });
});

it("the commands give each part the folders that it writes, and no others", () => {
  const granted = (role: string): readonly string[] =>
    (
      new RegExp(`for folder in ([a-z -]+); do\\n  etcdctl role grant-permission ${role} readwrite`).exec(
        section,
      )?.[1] ?? ""
    )
      .split(" ")
      .sort();
  for (const part of ["engine", "api"]) {
    const folders = Object.values(KINDS).flatMap(({ path, writers }) =>
      (writers as readonly string[]).includes(part) ? [path.split("/")[0]] : [],
    );
    expect(granted(`fleet-${part}`), part).toEqual([...new Set(folders)].sort());
  }
});

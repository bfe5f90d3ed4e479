import { execFileSync, type SpawnSyncReturns, spawnSync } from "node:child_process";
import { copyFileSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";
import type { Output } from "../deploy/local-cluster/processes.ts";
import { DEBIAN_RELEASES, type DebianRelease, makeDebianRoot, runInRoot } from "../testbed/debian-root.ts";
import { allowPackages, SLEEP, TestCluster } from "../testbed/test-cluster.ts";

const OLD = "1.9.9";
const VERSION = "2.0.0";
const NAMES = ["fleetd", "fleet-agent", "fleet-engine", "fleet-api", "fleetctl"];
const RUNNING = ["fleet-agent.service", "fleet-engine.service", "fleet-api.service"];
const UNITS = [...RUNNING, "fleet.socket", "fleet.service"];
const WITHOUT_SECRETS_GROUP = `set -e; cd /etc/fleet; umask 0027; touch tokens other; chgrp fleet fleet.conf tokens other
  echo ' api_tokens_file = "/etc/fleet/tokens"' >>fleet.conf; echo '#etcd_keyfile=/etc/fleet/other' >>fleet.conf; groupdel fleet-secrets`;

/** What stood on a host, whose packages were installed before it had systemd, once it had booted, and after their purge. */
interface FirstBoot {
  readonly active: string;
  readonly enabled: string;
  readonly version: string;
  readonly left: string;
}

let folder: string;
let cluster: TestCluster;
const firstBoots = new Map<DebianRelease, FirstBoot>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fleet-packages-"));
  const node = (...args: string[]): string => execFileSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  // The version before this one: the same source under another number.
  node("scripts/dist.ts", "--version", OLD, "--out", join(folder, "old"));
  const build = ["--conditions=fleet-source", "scripts/packages.ts", "--quick"];
  node(...build, "--version", OLD, "--out", join(folder, "old"));
  execFileSync("mkdir", ["-p", join(folder, "new")]);
  for (const part of ["bin", "work"]) execFileSync("ln", ["-s", join(ROOT, "dist", part), join(folder, "new", part)]);
  node(...build, "--out", join(folder, "new"));
  const lowers = await Promise.all(DEBIAN_RELEASES.map(installedRoot));
  cluster = await TestCluster.start(
    lowers.map((lower) => ({ isBare: true, lower })),
    "",
  );
  for (const [place, release] of DEBIAN_RELEASES.entries()) firstBoots.set(release, await firstBoot(place + 1));
}, 400_000);
afterAll(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A Debian with nothing but its base, in which the packages and what they need were installed; returns its root folder. */
async function installedRoot(release: DebianRelease): Promise<string> {
  const root = join(folder, release);
  await makeDebianRoot(release, root);
  for (const path of globSync(join(folder, "*/deb/*.deb"))) copyFileSync(path, join(root, "root", basename(path)));
  await runInRoot(root, `apt-get install --yes --no-install-recommends /root/*_${VERSION}_*.deb`);
  return root;
}

/** Notes what runs on a host that has just booted, and purges its packages. */
async function firstBoot(index: number): Promise<FirstBoot> {
  const { network } = cluster.cluster;
  await makeReady(index);
  await network.must(index, "systemctl", "restart", ...RUNNING);
  const active = (await network.exec(index, ["systemctl", "is-active", ...RUNNING])).stdout;
  const enabled = (await network.exec(index, ["systemctl", "is-enabled", ...UNITS])).stdout;
  const version = await network.must(index, "fleetctl", "--version");
  await network.must(index, "dpkg", "--purge", ...NAMES);
  return { active, enabled, version, left: await leftOf(index) };
}

/** Files, users and groups of fleet on a host, without those that this test has put there. */
function leftOf(index: number): Promise<string> {
  const script = `find / /run -xdev -name '*fleet*' -not -path '/root/*' -not -path '*.service.d*'
    getent passwd fleet; getent group fleet fleet-secrets; true`;
  return cluster.cluster.network.must(index, "sh", "-c", script);
}

/** Tells the daemons of a host what they are to know. */
async function makeReady(index: number): Promise<void> {
  const { network, etcdURL } = cluster.cluster;
  await allowPackages(network, index);
  const dropIn = `[Service]\nEnvironment=FLEET_ETCD_SERVERS=${etcdURL} FLEET_AGENT_TTL=30s FLEET_METADATA=disk=ssd\n`;
  for (const unit of [...RUNNING, "fleet.service"]) {
    const path = `/etc/systemd/system/${unit}.d/test.conf`;
    await network.exec(index, ["sh", "-c", `mkdir -p "$(dirname "$0")" && cat >"$0"`, path], { input: dropIn });
  }
  await network.must(index, "systemctl", "daemon-reload");
}

const host = (...command: string[]): Promise<string> => cluster.cluster.network.must(1, ...command);
const other = (...command: string[]): Promise<string> => cluster.cluster.network.must(2, ...command);
const install = (version: string, index = 1): Promise<string> =>
  cluster.cluster.network.must(
    index,
    "sh",
    "-c",
    `DEBIAN_FRONTEND=noninteractive dpkg -i /root/*_${version}_*.deb 2>&1`,
  );
const fleetctl = (...args: string[]): Promise<string> => host("fleetctl", "--request-timeout=20", ...args);
const isActive = async (): Promise<string> =>
  (await cluster.cluster.network.exec(1, ["systemctl", "is-active", ...RUNNING])).stdout.trim();

describe("the Debian packages", () => {
  it("are clean of lintian's errors and warnings", () => {
    const files = globSync(join(folder, "new/deb/*.deb"));
    expect(files.map((file) => basename(file).split("_")[0]).sort()).toEqual([...NAMES].sort());
    const args = ["--fail-on", "error,warning", ...files];
    expect(execFileSync("lintian", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })).toBe("");
  }, 240_000);

  it.each(DEBIAN_RELEASES)(
    "are installed on a %s with nothing but its base, run once it has booted, and are purged whole",
    (release) => {
      expect(firstBoots.get(release)).toEqual({
        active: "active\nactive\nactive\n",
        enabled: "enabled\nenabled\nenabled\nenabled\ndisabled\n",
        version: `fleetctl version ${VERSION}\n`,
        left: "",
      });
    },
  );

  it("are installed, upgraded without the restart of a unit, removed and purged", async () => {
    const { network } = cluster.cluster;
    await install(OLD);
    await cluster.until("all parts to run", async () => (await isActive()) === "active\nactive\nactive");
    expect((await host("systemctl", "is-enabled", ...RUNNING, "fleet.socket")).trim().split("\n")).toEqual(
      Array(4).fill("enabled"),
    );
    expect((await network.exec(1, ["systemctl", "is-enabled", "fleet.service"])).stdout.trim()).toBe("disabled");
    expect((await host("stat", "-c", "%a %G", "/run/fleet.sock", "/etc/fleet/fleet.conf")).trim()).toBe(
      "660 fleet\n640 fleet-secrets",
    );
    await host("useradd", "-G", "fleet", "viewer");
    const asViewer = (...command: string[]): Promise<Output> =>
      network.exec(1, ["runuser", "-u", "viewer", "--", ...command]);
    expect((await asViewer("fleetctl", "list-machines")).code).toBe(0);
    expect(await asViewer("cat", "/etc/fleet/fleet.conf")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Permission denied"),
    });
    expect(await fleetctl("--version")).toBe(`fleetctl version ${OLD}\n`);
    for (const page of ["man1/fleetctl.1", "man8/fleetd.8", "man5/fleet.conf.5"])
      expect(await host("sh", "-c", `zcat /usr/share/man/${page}.gz`)).toContain(".SH NAME");
    const completed = `. /usr/share/bash-completion/completions/fleetctl
      COMP_LINE='fleetctl list-ma' COMP_POINT=16; _fleetctl; echo "\${COMPREPLY[@]}"`;
    expect(await host("bash", "-c", completed)).toBe("list-machines\n");

    await host("sh", "-c", `printf '%s\n' '${SLEEP}' >/root/stays.service; fleetctl start /root/stays.service`);
    const invocation = await cluster.show(1, "stays.service", "InvocationID");
    await host("sh", "-c", "echo 'token_limit=77' >>/etc/fleet/fleet.conf");
    const before = await host("systemctl", "show", "-P", "MainPID", ...RUNNING);

    // Both versions side by side: either engine leads, either API is asked, either agent runs what it is given.
    await install(VERSION, 2);
    for (const [withoutEngine, version] of [
      [other, OLD],
      [host, VERSION],
    ] as const) {
      await withoutEngine("systemctl", "stop", "fleet-engine");
      for (const [index, ask] of [host, other].entries()) {
        const unit = `side-${version}-${index}.service`;
        const machine = cluster.cluster.network.hosts.get(index + 1)?.machineID ?? "";
        const text = `${SLEEP}[X-Fleet]\nMachineID=${machine}\n`.replaceAll("\n", "\\n");
        await ask("sh", "-c", `printf '${text}' >/root/${unit}; fleetctl --request-timeout=20 start /root/${unit}`);
        expect(await cluster.show(index + 1, unit, "ActiveState")).toBe("active");
        await ask("fleetctl", "destroy", unit);
      }
      await withoutEngine("systemctl", "start", "fleet-engine");
    }
    await other("sh", "-c", "systemctl stop fleet.socket fleet-api fleet-engine fleet-agent");
    expect(await cluster.show(1, "stays.service", "InvocationID")).toBe(invocation);

    // As the version before had it: the group of the socket reads secrets.
    await host("sh", "-c", WITHOUT_SECRETS_GROUP);
    const said = await install(VERSION);
    expect((await host("sh", "-c", "cd /etc/fleet; stat -c '%n %a %G' fleet.conf tokens other")).trim()).toBe(
      "fleet.conf 640 fleet-secrets\ntokens 640 fleet-secrets\nother 640 fleet",
    );
    await host(
      "sh",
      "-c",
      "rm /etc/fleet/tokens /etc/fleet/other; sed -i '/^ api_tokens_file/d' /etc/fleet/fleet.conf; systemctl restart fleet-api",
    );
    await cluster.until("all parts to run anew", async () => (await isActive()) === "active\nactive\nactive");
    const after = await host("systemctl", "show", "-P", "MainPID", ...RUNNING);
    const pids = after.trim().split(/\n+/);
    for (const pid of before.trim().split(/\n+/)) expect(pids, said).not.toContain(pid);
    expect(await fleetctl("--version")).toBe(`fleetctl version ${VERSION}\n`);
    expect(await host("cat", "/etc/fleet/fleet.conf")).toContain("token_limit=77");
    await cluster.until(
      "the machine to be there in its new version, with its unit",
      async () =>
        (await host("journalctl", "-u", "fleet-agent", "-o", "cat", "--no-pager")).includes(`version=${VERSION} `) &&
        (await fleetctl("list-units", "--no-legend", "--fields=unit,active")) === "stays.service\tactive\n",
    );
    expect(await cluster.show(1, "stays.service", "InvocationID")).toBe(invocation);
    // The journal holds sentences with priorities, and neither JSON nor what tells journald of a priority.
    const logged = ["-u", "fleet-agent", "-u", "fleet-engine", "-u", "fleet-api", "-o", "cat", "--no-pager"];
    expect(await host("journalctl", ...logged)).not.toMatch(/^[{<]/m);
    await host("sh", "-c", "echo no_such_option=1 >>/etc/fleet/fleet.conf; systemctl restart fleet-agent");
    const warned = await host("journalctl", ...logged, "--priority=warning..warning");
    expect(warned).toContain("no_such_option");
    expect(warned).not.toContain("fleetd is starting");
    // A service that the operator has stopped stays stopped at the next upgrade.
    await host("systemctl", "stop", "fleet-engine");
    await host("sh", "-c", `dpkg -i /root/fleet-engine_${VERSION}_all.deb`);
    expect((await network.exec(1, ["systemctl", "is-active", "fleet-engine"])).stdout.trim()).toBe("inactive");

    await host("dpkg", "--remove", ...NAMES.filter((name) => name !== "fleetd"), "fleetd");
    expect(await cluster.show(1, "stays.service", "ActiveState")).toBe("inactive");
    expect((await network.exec(1, ["pidof", "fleetd"])).stdout).toBe("");
    expect(await host("cat", "/etc/fleet/fleet.conf")).toContain("token_limit=77");

    await host("dpkg", "--purge", ...NAMES);
    expect(await leftOf(1)).toBe("");
  }, 180_000);

  it("with fleetd alone run everything in one process once it is enabled", async () => {
    await host("sh", "-c", `dpkg -i /root/fleetd_${VERSION}_*.deb /root/fleetctl_${VERSION}_*.deb`);
    try {
      expect((await cluster.cluster.network.exec(1, ["pidof", "fleetd"])).stdout).toBe("");
      await host("systemctl", "enable", "--now", "fleet.socket", "fleet.service");
      await cluster.until("the machine", async () => /disk=ssd/.test(await fleetctl("list-machines")));
      expect((await host("pidof", "fleetd")).trim()).toMatch(/^\d+$/);
    } finally {
      await host("dpkg", "--purge", "fleetd", "fleetctl");
    }
  }, 120_000);
});

/** Runs this Node as if it were one that fleet's libraries do not support. */
function asOlderNode(cwd: string, args: readonly string[]): SpawnSyncReturns<string> {
  const older = `data:text/javascript,Object.defineProperty(process.versions, "node", { value: "18.20.4" })`;
  return spawnSync(process.execPath, [`--import=${older}`, ...args], { cwd, encoding: "utf8" });
}

describe("the npm packages", () => {
  it.each(["client", "config", "loop", "domain", "registry"])(
    "of %s hold what was built, its page and its licence",
    (name) => {
      const [file = ""] = globSync(join(folder, `new/npm/fleet-${name}-*.tgz`));
      const names = execFileSync("tar", ["-tzf", file], { encoding: "utf8" }).trim().split("\n");
      expect(names).toEqual(
        expect.arrayContaining(
          [
            "LICENSE",
            "README.md",
            "package.json",
            ...(name === "domain" ? ["dist/unit/index.js"] : ["dist/index.js", "dist/index.d.ts"]),
          ].map((path) => `package/${path}`),
        ),
      );
      expect(names.filter((path) => !/\/(LICENSE|README\.md|package\.json|dist\/.*\.(js|d\.ts))$/.test(path))).toEqual(
        [],
      );
      const manifest = execFileSync("tar", ["-xzOf", file, "package/package.json"], { encoding: "utf8" });
      expect(JSON.parse(manifest).engines).toEqual({ node: ">=24" });
      expect(manifest).not.toMatch(/fleet-source|"scripts"/);
    },
  );
  it("are imported, with types, from a project that has nothing but them", () => {
    const project = join(folder, "project");
    const files = globSync(join(folder, "new/npm/*.tgz"));
    const write = (name: string, text: string): void =>
      void execFileSync("sh", ["-c", `mkdir -p "$(dirname "$0")" && cat >"$0"`, join(project, name)], { input: text });
    write("package.json", JSON.stringify({ name: "scratch", private: true, type: "module" }));
    write(
      "main.ts",
      `import { readConfig } from "@fleet/config";
import { FleetApi } from "@fleet/client";
import { OPERATIONS } from "@fleet/client/description";
import { parseUnitFile } from "@fleet/registry";
const config: number = readConfig(null, { FLEET_TOKEN_LIMIT: "7" }).config.tokenLimit;
console.log(config, typeof FleetApi, typeof OPERATIONS, typeof parseUnitFile);
`,
    );
    write(
      "tsconfig.json",
      JSON.stringify({
        compilerOptions: { module: "nodenext", strict: true, noEmit: true, types: ["node"] },
        files: ["main.ts"],
      }),
    );
    const run = (...command: [string, ...string[]]): string =>
      execFileSync(command[0], command.slice(1), { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    run(
      "npm",
      "install",
      "--no-audit",
      "--no-fund",
      "--prefer-offline",
      "--silent",
      ...files,
      join(ROOT, "node_modules/@types/node"),
    );
    run(process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), "-p", ".");
    expect(run(process.execPath, "main.ts")).toBe("7 function object function\n");
    for (const name of [
      "client",
      "client/description",
      "config",
      "domain/unit",
      "loop",
      "registry",
      "registry/model",
    ]) {
      const { stderr } = asOlderNode(project, ["--input-type=module", "-e", `import "@fleet/${name}";`]);
      const [library = ""] = name.split("/");
      expect(stderr).toContain(
        `Error: @fleet/${library} needs Node 24 or later, and this is Node 18.20.4: see https://nodejs.org.`,
      );
      expect(stderr).not.toMatch(/^ +at /m);
    }
  }, 180_000);
});

describe("the example on the registry library", () => {
  it("says which Node it needs where it has an older one", () => {
    expect(asOlderNode(ROOT, ["examples/registry-client"])).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "Error: registry-client needs Node 24 or later, and this is Node 18.20.4: see https://nodejs.org.\n",
    });
  });
});

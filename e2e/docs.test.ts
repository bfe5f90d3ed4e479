import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BIN, ROOT } from "../deploy/local-cluster/cluster.ts";
import { allowPackages, SLEEP, TestCluster } from "../testbed/test-cluster.ts";

// Every command of these pages is run on a host, as it stands there, one page after the other on a host each.

const PAGES = ["getting-started", "deploying", "upgrading", "moving-over", "troubleshooting", "security"];
/** What a page takes for granted, beside packages in the current folder. */
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  upgrading: ["install", "units"],
  "moving-over": ["install", "units"],
  troubleshooting: ["install", "units"],
  deploying: ["key"],
  security: ["install"],
};

let folder: string;
let cluster: TestCluster;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fleet-docs-"));
  execFileSync("mkdir", ["-p", join(folder, "new")]);
  for (const part of ["bin", "work"]) execFileSync("ln", ["-s", join(ROOT, "dist", part), join(folder, "new", part)]);
  const build = ["--conditions=fleet-source", "scripts/packages.ts", "--quick", "--out", join(folder, "new")];
  execFileSync(process.execPath, build, { cwd: ROOT });
  const binds = [`${BIN}:/opt/fleet/dist/bin`, `${ROOT}/deploy:/opt/fleet/deploy`];
  cluster = await TestCluster.start(
    PAGES.map(() => ({ isBare: true, binds })),
    "",
  );
  const { network } = cluster.cluster;
  for (const index of network.hosts.keys()) {
    await allowPackages(network, index);
    for (const path of globSync(join(folder, "new/deb/*.deb"))) {
      await network.copyTo(index, path, `/root/${basename(path)}`);
    }
  }
}, 300_000);
afterAll(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The shell commands of a page, as one script for each block. */
function blocksOf(page: string): string[] {
  const text = readFileSync(join(ROOT, "docs", `${page}.md`), "utf8");
  return [...text.matchAll(/^( *)```sh\n([\s\S]*?)^\1```$/gm)].map(([, indent = "", body = ""]) =>
    body.replaceAll(new RegExp(`^${indent}`, "gm"), "").replaceAll("http://192.0.2.12:2379", cluster.cluster.etcdURL),
  );
}

const PREPARED: Readonly<Record<string, () => string>> = {
  key: () => "touch core.pub",
  install: () => `dpkg -i *.deb && printf 'etcd_servers=${cluster.cluster.etcdURL}\\n' >/etc/fleet/fleet.conf &&
    systemctl restart fleet-agent fleet-engine fleet-api`,
  units: () => `printf '${SLEEP.replaceAll("\n", "\\n")}' >slow.service
    for n in $(seq 100); do fleetctl list-machines --no-legend | grep -q . && break; done
    fleetctl start slow.service`,
};

describe("every command of the documentation works", () => {
  // One registry for all: a page begins with an empty one.
  it.each(PAGES)(
    "docs/%s.md",
    async (page) => {
      const { network } = cluster.cluster;
      const index = PAGES.indexOf(page) + 1;
      const run = async (script: string): Promise<void> => {
        const etcd = `export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=${cluster.cluster.etcdURL}`;
        const whole = `cd /root && set -eo pipefail\n${etcd}\n${script}`;
        const { code, stdout, stderr } = await network.exec(index, ["bash", "-c", whole], { timeoutMs: 90_000 });
        expect({ script, code, output: code === 0 ? "" : stdout + stderr }).toEqual({ script, code: 0, output: "" });
      };
      for (const step of BEFORE[page] ?? []) await run(PREPARED[step]?.() ?? "");
      const blocks = blocksOf(page);
      expect(blocks.length).toBeGreaterThan(1);
      try {
        for (const block of blocks) await run(block);
      } finally {
        await network.exec(index, ["sh", "-c", "systemctl stop 'fleet*.service' 'fleet.socket'"]);
        await cluster.cluster.clearEtcd();
      }
    },
    240_000,
  );
});

describe("links and files that the documentation names", () => {
  it.each(globSync("{*.md,docs/**/*.md,examples/**/*.md}", { cwd: ROOT }))("%s", (page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target = ""]) => target);
    const missing = links.filter((target) => !/^https?:/.test(target) && !existsSync(join(ROOT, page, "..", target)));
    expect(missing).toEqual([]);
  });
});

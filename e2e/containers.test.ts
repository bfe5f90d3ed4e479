import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

const ROLES = ["agent", "engine", "api"] as const;
const BASE = "docker.io/library/debian:12-slim";
let folder: string;
let cluster: TestCluster;

/** Runs buildah on this machine, with a storage of its own. */
function buildah(...args: readonly string[]): string {
  // Layers can't be stacked on a disk that is itself made of layers.
  const isStacked = execFileSync("stat", ["--file-system", "--format=%T", folder], { encoding: "utf8" }).startsWith(
    "overlay",
  );
  const storage = [
    `--storage-driver=${isStacked ? "vfs" : "overlay"}`,
    `--root=${join(folder, "storage")}`,
    `--runroot=${join(folder, "run")}`,
  ];
  const env = { PATH: process.env.PATH, HOME: folder, BUILDAH_ISOLATION: "chroot" };
  return execFileSync("buildah", [...storage, ...args], { cwd: ROOT, encoding: "utf8", env, stdio: "pipe" }).trim();
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fleet-containers-"));
  // The base image's registry can't be reached from everywhere: a minimal Debian takes its name, from this machine's mirrors.
  const release = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "";
  const sources = globSync(["/etc/apt/sources.list", "/etc/apt/sources.list.d/*.{list,sources}"]);
  const tree = join(folder, "base.tar");
  execFileSync("mmdebstrap", ["--quiet", "--variant=apt", release, tree, ...sources], { stdio: "pipe" });
  const base = buildah("from", "scratch");
  buildah("add", "--quiet", base, tree, "/");
  buildah("commit", "--quiet", "--rm", base, BASE);
  for (const role of ROLES) {
    const name = `fleet-${role}`;
    buildah("build", "--quiet", "--layers", "--pull-never", "-t", name, "-f", `deploy/docker/Dockerfile.${role}`, ".");
    buildah("push", "--quiet", name, `docker-archive:${join(folder, `${name}.tar`)}:${name}`);
  }
  cluster = await TestCluster.start([{ isBare: true, binds: [`${folder}:/opt/images`] }], "");
}, 300_000);
afterAll(async () => {
  await cluster?.stop();
  // What was built is mounted nowhere by now.
  rmSync(folder, { recursive: true, force: true });
});

describe("the Dockerfiles", () => {
  it("build images in which agent, engine and API do their work", async () => {
    const { network, etcdURL } = cluster.cluster;
    const env = { FLEETCTL_ENDPOINT: cluster.cluster.endpoint(1) };
    const fleetctl = async (...args: string[]): Promise<string> =>
      (await cluster.fleetctlWith({ env }, ...args)).stdout;
    await network.must(1, "mkdir", "-p", "/run/fleet");
    for (const role of ROLES) {
      // As the head of the Dockerfile says.
      const text = readFileSync(join(ROOT, "deploy/docker", `Dockerfile.${role}`), "utf8");
      const volumes = [...text.matchAll(/-v (\S+)/g)].map(([, volume]) => `--volume=${volume}`);
      const entrypoint = buildah(
        "inspect",
        "--type=image",
        "--format={{.OCIv1.Config.Entrypoint}}",
        `fleet-${role}`,
      ).slice(1, -1);
      const script = `export BUILDAH_ISOLATION=chroot HOME=/root
        buildah() { command buildah --storage-driver=vfs --root=/opt/storage --runroot=/run/storage "$@"; }
        container=$(buildah from --quiet docker-archive:/opt/images/fleet-${role}.tar)
        buildah run --env=FLEET_ETCD_SERVERS=${etcdURL} ${volumes.join(" ")} "$container" -- ${entrypoint}`;
      await network.must(1, "systemd-run", `--unit=container-${role}`, "bash", "-ec", script);
    }
    try {
      const machines = (): Promise<string> => fleetctl("list-machines", "--no-legend");
      await cluster.until("the machine to be there", async () => (await machines()) !== "", 60_000);
      await fleetctl("start", cluster.file("hello.service", SLEEP));
      expect(await cluster.show(1, "hello.service", "ActiveState")).toBe("active");
      // The agent drives systemd, and is root; engine and API are nobody in particular.
      const users = await network.must(1, "ps", "-C", "fleetd", "-o", "user=");
      expect(users.trim().split(/\s+/).sort()).toEqual(["nobody", "nobody", "root"]);
    } catch (error) {
      throw new Error(await network.must(1, "journalctl", "--no-pager", "-u", "container-*", "-n", "50"), {
        cause: error,
      });
    }
  }, 180_000);
});

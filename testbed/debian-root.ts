import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What fleet's packages need of Debian and its base lacks: lies in the root's archive, so that no test loads it anew. */
const NEEDED = ["dbus", "init-system-helpers", "libatomic1", "systemd"];
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "fleet-tests");

/** Releases of Debian that the packages are for. */
export const DEBIAN_RELEASES = ["bookworm", "trixie"] as const;
export type DebianRelease = (typeof DEBIAN_RELEASES)[number];

/**
 * Makes a root folder of a Debian with nothing but its base (mmdebstrap's minbase): no systemd, nothing of this machine.
 * The first one of a release takes half a minute, and is kept in the user's cache folder; the others are copies.
 */
export async function makeDebianRoot(release: DebianRelease, target: string): Promise<void> {
  const kept = join(CACHE, `${release}-${NEEDED.join("-")}`);
  if (!existsSync(kept)) {
    mkdirSync(CACHE, { recursive: true });
    const folder = mkdtempSync(join(CACHE, "new-"));
    try {
      const root = join(folder, release);
      await run("mmdebstrap", ["--quiet", "--variant=minbase", "--skip=cleanup/apt", release, root]);
      await runInRoot(root, `apt-get install --yes --no-install-recommends --download-only ${NEEDED.join(" ")}`);
      // Another one may have been faster.
      if (!existsSync(kept)) renameSync(root, kept);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  await run("cp", ["--archive", kept, target]);
}

/** Runs a shell script in a root folder in which no systemd runs, as an installer does; returns what it printed. */
export async function runInRoot(root: string, script: string): Promise<string> {
  const enter = `mount -t proc proc "$0/proc" && touch "$0/etc/resolv.conf" && mount --bind /etc/resolv.conf "$0/etc/resolv.conf" &&
    exec chroot "$0" sh -ec "$1"`;
  const unshare = ["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];
  const env = {
    ...process.env,
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    LC_ALL: "C.UTF-8",
    DEBIAN_FRONTEND: "noninteractive",
  };
  const { stdout, stderr } = await run("unshare", [...unshare, "sh", "-ec", enter, root, script], { env });
  return stdout + stderr;
}

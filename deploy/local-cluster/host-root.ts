// What is put on a host's disk before it boots.
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Services of the machine itself that its copies must not start. */
const MASKED =
  "postgresql mariadb redis-server ssh docker containerd cron etcd systemd-networkd systemd-resolved systemd-logind e2scrub_reap console-getty getty@tty1 rabbitmq-server mosquitto nats-server apt-daily apt-daily-upgrade man-db dpkg-db-backup";
const UNITS = "/etc/systemd/system";

/** What a host has of its own. */
export interface HostDisk {
  readonly hostname: string;
  readonly machineID: string;
  /** True: the units that are enabled below it stay enabled. */
  readonly keepsUnits: boolean;
  /** Texts by path. */
  readonly files: Readonly<Record<string, string>>;
  /** systemd units that start at boot. */
  readonly wants: readonly string[];
}

/** Makes a host of a root folder. */
export function writeHostDisk(root: string, { hostname, machineID, keepsUnits, files, wants }: HostDisk): void {
  if (!keepsUnits)
    for (const entry of readdirSync(root + UNITS)) rmSync(join(root + UNITS, entry), { recursive: true });
  for (const unit of MASKED.split(" ")) link("/dev/null", `${root}${UNITS}/${unit}.service`);
  link("/lib/systemd/system/multi-user.target", `${root}${UNITS}/default.target`);
  write(root, "/etc/machine-id", `${machineID}\n`);
  write(root, "/etc/hostname", `${hostname}\n`);
  for (const [path, text] of Object.entries(files)) write(root, path, text);
  for (const unit of wants) link(`${UNITS}/${unit}`, `${root}${UNITS}/multi-user.target.wants/${unit}`);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

/** Replaced, not written into: below may be a link to a file elsewhere. */
function write(root: string, path: string, text: string): void {
  mkdirSync(dirname(root + path), { recursive: true });
  rmSync(root + path, { force: true });
  writeFileSync(root + path, text);
}

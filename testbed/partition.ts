import { overlaps, type Run, runsOf } from "./copies.ts";
import type { TestCluster } from "./test-cluster.ts";

/** How a machine is cut off: its agent lives on, is frozen, or is dead. */
export const CUTS = ["agent alive", "agent frozen", "agent killed"] as const;
export type Cut = (typeof CUTS)[number];

/** What is done to a watchdog of a machine that is cut off. */
const HARMS = ["stopped beforehand", "killed once", "killed often", "replaced"] as const;
type Harm = (typeof HARMS)[number];

/** What becomes of the watchdogs of a machine that is cut off: of the first of them, or of both. */
export const WATCHDOG_FAULTS: readonly WatchdogFault[] = [
  "left alone",
  ...HARMS.flatMap((harm) => [harm, `both ${harm}`] as const),
];
export type WatchdogFault = "left alone" | Harm | `both ${Harm}`;

/** A shell script for each of the names; undefined: there is nothing to be done. */
type Scripts = Readonly<Partial<Record<Harm, (name: string) => string>>>;

const BEFORE_CUT: Scripts = {
  "stopped beforehand": (name) => `systemctl stop ${name}.timer ${name}.service`,
  replaced: (
    name,
  ) => `printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/${name}.service; systemctl daemon-reload
    systemctl stop ${name}.timer ${name}.service; systemctl start ${name}.service`,
};
const AFTER_CUT: Scripts = {
  "killed once": (name) => `systemctl kill -s KILL ${name}.service`,
  "killed often": (name) => `for i in $(seq 60); do systemctl kill -s KILL ${name}.service; sleep 0.1; done`,
};
const AFTER_HEAL: Scripts = {
  replaced: (name) => `systemctl stop ${name}.service; rm /etc/systemd/system/${name}.service; systemctl daemon-reload`,
};

/** The script that does to the watchdogs what a fault says, to both at the same time. */
function scriptOf(scripts: Scripts, fault: WatchdogFault): string | undefined {
  const harm = HARMS.find((each) => fault === each || fault === `both ${each}`);
  const script = harm === undefined ? undefined : scripts[harm];
  if (script === undefined) return undefined;
  const names = fault === harm ? ["fleet-fence"] : ["fleet-fence", "fleet-fence-spare"];
  return `${names.map((name) => `{ ${script(name)}\n} & `).join("")}wait`;
}

/** A unit that says that it lives, ten times a second, and takes no notice of being asked to stop. */
export const STUBBORN = `[Service]
ExecStart=/bin/bash -c 'trap "" TERM; while :; do echo alive; sleep 0.1; done'
KillMode=control-group
TimeoutStopSec=600
[X-Fleet]
OnPartition=stop
MachineMetadata=host!=h1
`;

/**
 * Cuts the machine off on which a unit runs, waits until the unit runs on another one, and heals the cut.
 *
 * @param fault what becomes of its watchdogs
 * @returns the host that was cut off
 */
export async function cutOnce(
  cluster: TestCluster,
  unit: string,
  cut: Cut,
  fault: WatchdogFault = "left alone",
): Promise<number> {
  const { network } = cluster.cluster;
  const from = await cluster.hostOf(unit);
  const signal = { "agent alive": null, "agent frozen": "STOP", "agent killed": "KILL" }[cut];
  if (signal === "KILL") {
    const dropIn = "/run/systemd/system/fleet-agent.service.d";
    await network.must(
      from,
      "sh",
      "-c",
      `mkdir -p ${dropIn}; printf '[Service]\\nRestart=no\\n' >${dropIn}/dead.conf; systemctl daemon-reload`,
    );
  }
  const shell = (script: string | undefined): Promise<unknown> =>
    script === undefined ? Promise.resolve() : network.exec(from, ["sh", "-c", script]);
  await shell(scriptOf(BEFORE_CUT, fault));
  await network.cut(from);
  if (signal !== null) await network.must(from, "systemctl", "kill", "-s", signal, "fleet-agent");
  const harming = shell(scriptOf(AFTER_CUT, fault));
  const others = [...network.hosts.keys()].filter((index) => index !== from);
  const runsElsewhere = async (): Promise<boolean> => {
    for (const index of others) {
      const { stdout } = await network.exec(index, ["systemctl", "is-active", unit]);
      if (stdout.trim() === "active") return true;
    }
    return false;
  };
  await cluster.until(`${unit} to run elsewhere`, runsElsewhere, 60_000);
  await harming;
  await network.heal(from);
  await shell(scriptOf(AFTER_HEAL, fault));
  if (signal === "STOP") await network.must(from, "systemctl", "kill", "-s", "CONT", "fleet-agent");
  if (signal === "KILL") {
    const script =
      "rm -r /run/systemd/system/fleet-agent.service.d/dead.conf; systemctl daemon-reload; systemctl reset-failed fleet-agent; systemctl start fleet-agent";
    await network.must(from, "sh", "-c", script);
  }
  const machines = network.hosts.size - 1;
  await cluster.until(
    "all machines to be back",
    async () => (await cluster.ok("list-machines", "--no-legend")).trim().split("\n").length === machines,
    60_000,
  );
  await cluster.until(`one copy of ${unit}`, async () => (await cluster.activeOn(unit)).length === 1, 60_000);
  return from;
}

/** Every run of a unit by the journals of the hosts that keep one, and those that overlapped. */
export async function copiesOf(
  cluster: TestCluster,
  unit: string,
): Promise<{ readonly runs: readonly Run[]; readonly overlapping: readonly (readonly [Run, Run])[] }> {
  const { network } = cluster.cluster;
  const runs: Run[] = [];
  for (const index of network.hosts.keys()) {
    const journal = await network.must(index, "journalctl", "-u", unit, "-o", "json", "--no-pager");
    runs.push(...runsOf(index, journal));
  }
  return { runs, overlapping: overlaps(runs) };
}

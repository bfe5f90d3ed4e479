import { basename } from "node:path";
import type { TestCluster } from "../testbed/test-cluster.ts";
import type { RegistryWatch } from "./registry-watch.ts";
import { kindOf, NAMES, type Traffic } from "./traffic.ts";

/** What a host's systemd says of a unit. */
export interface HostUnit {
  readonly active: string;
  readonly invocation: string;
}

/** By host, then by unit. */
export type Seen = ReadonlyMap<number, ReadonlyMap<string, HostUnit>>;

/** Where files and links of units may be. */
const FOLDERS = ["/run/fleet/units", "/run/systemd/system", "/etc/systemd/system"];

const PROPERTIES = ["Id", "ActiveState", "LoadState", "InvocationID"];

/** What every host's own systemd says of the units of a run; units that it does not know are left out. */
export async function look(cluster: TestCluster): Promise<Seen> {
  const { network } = cluster.cluster;
  const seen = new Map<number, ReadonlyMap<string, HostUnit>>();
  await Promise.all(
    [...network.hosts.keys()].map(async (host) => {
      const text = await network.must(host, "systemctl", "show", "-p", PROPERTIES.join(","), ...NAMES);
      const units = new Map<string, HostUnit>();
      for (const block of text.split("\n\n")) {
        const of = (property: string): string => new RegExp(`^${property}=(.*)$`, "m").exec(block)?.[1] ?? "";
        if (of("LoadState") === "not-found" || of("Id") === "") continue;
        units.set(of("Id"), { active: of("ActiveState"), invocation: of("InvocationID") });
      }
      seen.set(host, units);
    }),
  );
  return seen;
}

/** What is not as the users were promised: a sentence each; empty: all is as it should be. */
export async function differences(cluster: TestCluster, traffic: Traffic, seen: Seen): Promise<readonly string[]> {
  const problems: string[] = [];
  const states = await traffic.api.listStates();
  const units = new Map((await traffic.api.listUnits()).map((unit) => [unit.name, unit]));
  const machineIDs = new Map([...cluster.cluster.network.hosts].map(([index, { machineID }]) => [machineID, index]));
  for (const name of NAMES) {
    const expected = traffic.expected.get(name);
    const hosts = [...seen].filter(([, there]) => there.has(name));
    const told = states.filter((state) => state.name === name);
    if (expected === undefined || expected.state === "inactive") {
      const what = expected === undefined ? "destroyed" : "unloaded";
      if (hosts.length > 0) problems.push(`${name} was ${what}, and h${hosts.map(([host]) => host)} still know it`);
      if (told.length > 0) problems.push(`${name} was ${what}, and the API still has states of it`);
      if ((expected === undefined) !== !units.has(name)) problems.push(`${name} was ${what}: the API disagrees`);
      continue;
    }
    const wanted = kindOf(name) === "every" ? machineIDs.size : 1;
    if (hosts.length !== wanted) problems.push(`${name} is on h[${hosts.map(([host]) => host)}], ${wanted} wanted`);
    for (const [host, there] of hosts) {
      const active = there.get(name)?.active ?? "";
      const good = kindOf(name) === "fails" ? "failed" : "active";
      const right = expected.state === "launched" ? good : "inactive";
      // One that does not stop when asked is killed, which systemd calls failed; and one that has failed stays so when stopped.
      const hasFailed =
        ["slow", "hangs", "fails"].includes(kindOf(name)) && expected.state === "loaded" && active === "failed";
      if (active !== right && !hasFailed) problems.push(`${name} on h${host} is ${active} instead of ${right}`);
      const state = told.find(({ machineID }) => machineIDs.get(machineID ?? "") === host);
      if (state?.systemdActiveState !== active) {
        problems.push(`${name} on h${host} is ${active}, and the API says ${state?.systemdActiveState ?? "nothing"}`);
      }
    }
    if (told.length !== hosts.length)
      problems.push(`${name} is on ${hosts.length} hosts, and the API says ${told.length}`);
    const options = units.get(name)?.options;
    if (JSON.stringify(options) !== JSON.stringify(expected.options))
      problems.push(`${name} has another text than was put in`);
  }
  return problems;
}

/** What is left of units that are gone: files, links, enablement (invariant 6). */
export async function leftovers(cluster: TestCluster, traffic: Traffic): Promise<readonly string[]> {
  const isGone = (name: string): boolean => (traffic.expected.get(name)?.state ?? "inactive") === "inactive";
  const gone = new Set(NAMES.filter(isGone));
  const found: string[] = [];
  for (const host of cluster.cluster.network.hosts.keys()) {
    const { stdout } = await cluster.cluster.network.exec(host, ["find", ...FOLDERS, "-name", "*.service*"]);
    for (const path of stdout.split("\n")) {
      const name = basename(path).replace(/\.new$/, "");
      if (gone.has(name) || /^(crowd-|half)/.test(name)) found.push(`${name} is gone and has left ${path} on h${host}`);
    }
  }
  return found;
}

/** Invariant 2: since the last rest no unit was restarted without a reason. */
export function collateral(
  before: Seen,
  after: Seen,
  isExcused: (name: string, host: number) => boolean,
): readonly string[] {
  const problems: string[] = [];
  for (const [host, units] of before) {
    for (const [name, { active, invocation }] of units) {
      const now = after.get(host)?.get(name);
      if (active !== "active" || isExcused(name, host) || now?.invocation === invocation) continue;
      problems.push(`${name} on h${host} was ${now === undefined ? "taken away" : "restarted"} without a reason`);
    }
  }
  return problems;
}

/** Invariant 7: what an engine says that it wrote was written while it led. */
export async function deposedWrites(cluster: TestCluster, watch: RegistryWatch): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const host of [1, 2]) {
    const id = cluster.cluster.network.hosts.get(host)?.machineID ?? "";
    const journal = await cluster.cluster.network.must(
      host,
      "journalctl",
      "-u",
      "fleet-engine",
      "-o",
      "cat",
      "--no-pager",
    );
    for (const [, revision = ""] of journal.matchAll(/"writtenAt":(\d+)/g)) {
      const at = Number(revision);
      if (at < (watch.reigns[0]?.from ?? 0)) continue;
      const leads = watch.reigns.some((reign) => reign.id === id && reign.from <= at && at <= reign.to);
      if (!leads) problems.push(`h${host} wrote revision ${at}, and did not lead then`);
    }
  }
  return problems;
}

/** Invariant 5: units that wait though they were to run; a machine fits each of the units of a run. */
export async function waiting(traffic: Traffic): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [name, { state }] of traffic.expected) {
    if (state === "inactive" || kindOf(name) === "every") continue;
    const placement = await traffic.api.getPlacement(name);
    if (placement === null || placement.machineID) continue;
    const why = placement.reasons.length === 0 ? "without a reason" : JSON.stringify(placement.reasons);
    problems.push(`${name} waits, ${why}`);
  }
  return problems;
}

import { basename } from "node:path";
import type { UnitOption } from "@fleet/registry";
import type { TestCluster } from "../testbed/test-cluster.ts";
import { byHost, type HostUnit, type Seen } from "./host-units.ts";
import type { Placement, Reign } from "./registry-view.ts";
import { LEADING } from "./target.ts";
import { type Expected, kindOf, NAMES, type Traffic } from "./traffic.ts";
import { BURST_KINDS } from "./unit-burst.ts";

/** Where files and links of units may be. */
const FOLDERS = ["/run/fleet/units", "/run/systemd/system", "/etc/systemd/system"];

/** What the API and the hosts say of one unit of a run. */
export interface UnitReport {
  /** By host, the unit's active state there; hosts that do not know the unit are left out. */
  readonly hosts: ReadonlyMap<number, string>;
  /** The active state that the API tells of each host; null: of a machine that is none of the hosts, or none at all. */
  readonly told: readonly { readonly host: number | null; readonly active: string | null }[];
  /** The unit's options as the API shows them; null: it shows no such unit. */
  readonly options: readonly UnitOption[] | null;
}

/** What is not as the users were promised: a sentence each; empty: all is as it should be. */
export async function differences(cluster: TestCluster, traffic: Traffic, seen: Seen): Promise<readonly string[]> {
  const states = await traffic.api.listStates();
  const units = new Map((await traffic.api.listUnits()).map((unit) => [unit.name, unit]));
  const hostByMachine = new Map([...cluster.cluster.network.hosts].map(([index, { machineID }]) => [machineID, index]));
  return NAMES.flatMap((name) => {
    const report: UnitReport = {
      hosts: new Map([...byHost(seen, name)].map(([host, { active }]) => [host, active])),
      told: states
        .filter((state) => state.name === name)
        .map(({ machineID, systemdActiveState }) => ({
          host: hostByMachine.get(machineID ?? "") ?? null,
          active: systemdActiveState ?? null,
        })),
      options: units.get(name)?.options ?? null,
    };
    const unknown = traffic.unknown.get(name);
    if (unknown !== undefined) return disturbedUnknown(name, unknown, byHost(seen, name), report);
    return brokenPromises(name, traffic.expected.get(name) ?? null, report, hostByMachine.size);
  });
}

/**
 * What was done to a unit that a restored registry has no record of: it is to be left as it was, and told of. A sentence
 * each; empty: all is as it should be.
 *
 * @param before what each host said of it when etcd was restored
 */
export function disturbedUnknown(
  name: string,
  before: ReadonlyMap<number, HostUnit>,
  now: ReadonlyMap<number, HostUnit>,
  { told, options }: Pick<UnitReport, "told" | "options">,
): readonly string[] {
  const problems: string[] = [];
  for (const [host, { active, invocation }] of before) {
    const there = now.get(host);
    if (there === undefined) problems.push(`${name} is unknown here, and was taken away from h${host}`);
    else if (active === "active" && there.invocation !== invocation)
      problems.push(`${name} is unknown here, and was restarted or stopped on h${host}`);
    if (!told.some((state) => state.host === host))
      problems.push(`${name} is unknown here on h${host}, and the API says nothing of it`);
  }
  if (now.size > before.size) problems.push(`${name} is unknown here, and has come to h${[...now.keys()]}`);
  if (options !== null) problems.push(`${name} is unknown here, and the API shows its text`);
  return problems;
}

/**
 * What of a unit is not as its users were promised: a sentence each; empty: all is as it should be.
 *
 * @param expected null: it was destroyed, or never put in
 * @param hostCount how many hosts there are
 */
export function brokenPromises(
  name: string,
  expected: Expected | null,
  report: UnitReport,
  hostCount: number,
): readonly string[] {
  if (expected === null || expected.state === "inactive") return remains(name, expected, report);
  const { hosts, told, options } = report;
  const wanted = kindOf(name) === "every" ? hostCount : 1;
  const problems: string[] = [];
  if (hosts.size !== wanted) problems.push(`${name} is on h[${[...hosts.keys()]}], ${wanted} wanted`);
  for (const [host, active] of hosts) {
    const right = activeStateOf(name, expected.state);
    if (active !== right && !mayHaveFailed(name, expected.state, active))
      problems.push(`${name} on h${host} is ${active} instead of ${right}`);
    const state = told.find((one) => one.host === host);
    if (state?.active !== active)
      problems.push(`${name} on h${host} is ${active}, and the API says ${state?.active ?? "nothing"}`);
  }
  if (told.length !== hosts.size) problems.push(`${name} is on ${hosts.size} hosts, and the API says ${told.length}`);
  if (JSON.stringify(options) !== JSON.stringify(expected.options))
    problems.push(`${name} has another text than was put in`);
  return problems;
}

/** What is left of a unit that is to be on no host. */
function remains(name: string, expected: Expected | null, { hosts, told, options }: UnitReport): readonly string[] {
  const what = expected === null ? "destroyed" : "unloaded";
  const problems: string[] = [];
  if (hosts.size > 0) problems.push(`${name} was ${what}, and h${[...hosts.keys()]} still know it`);
  if (told.length > 0) problems.push(`${name} was ${what}, and the API still has states of it`);
  if ((expected === null) !== (options === null)) problems.push(`${name} was ${what}: the API disagrees`);
  return problems;
}

function activeStateOf(name: string, state: Expected["state"]): string {
  if (state !== "launched" || kindOf(name) === "once") return "inactive";
  return kindOf(name) === "fails" ? "failed" : "active";
}

/** One that does not stop when asked is killed, which systemd calls failed; and one that has failed stays so when stopped. */
function mayHaveFailed(name: string, state: Expected["state"], active: string): boolean {
  return active === "failed" && state === "loaded" && ["slow", "hangs", "fails", "alone"].includes(kindOf(name));
}

/** Whether a unit is of a burst, or of a client that has died: nothing of either is there at a rest. */
function isOfBurst(name: string): boolean {
  return ["half", "late", "costly", ...BURST_KINDS].some((kind) => name.startsWith(`${kind}-`));
}

/** What is left of units that are gone: files, links, enablement (invariant 6). */
export async function leftovers(cluster: TestCluster, traffic: Traffic): Promise<readonly string[]> {
  const isGone = (name: string): boolean =>
    (traffic.expected.get(name)?.state ?? "inactive") === "inactive" && !traffic.unknown.has(name);
  const gone = new Set(NAMES.filter(isGone));
  const found: string[] = [];
  for (const host of cluster.cluster.network.hosts.keys()) {
    const { stdout } = await cluster.cluster.network.exec(host, ["find", ...FOLDERS, "-name", "*.service*"]);
    for (const path of stdout.split("\n")) {
      const name = basename(path).replace(/\.new$/, "");
      if (gone.has(name) || isOfBurst(name)) found.push(`${name} is gone and has left ${path} on h${host}`);
    }
  }
  return found;
}

/** What gives a unit a reason to be restarted or taken away since the last rest. */
export interface Reasons {
  /** Units that users changed. */
  readonly changed: ReadonlySet<string>;
  /** Units that a fault has stopped or started by hand; `*@N`: all of host N. */
  readonly disturbed: ReadonlySet<string>;
  readonly placements: ReadonlyMap<string, readonly Placement[]>;
  /** How many changes of placements had been seen by the last rest. */
  readonly since: number;
}

/** Whether a unit may have been restarted on a host, or taken from it. */
export function isExcused(name: string, host: number, { changed, disturbed, placements, since }: Reasons): boolean {
  // A machine that can't renew its lease in time stops it, and starts it again.
  if (kindOf(name) === "alone") return true;
  const wasPlacedAnew = (placements.get(name) ?? []).some(({ change }) => change > since);
  return changed.has(name) || disturbed.has(name) || disturbed.has(`*@${host}`) || wasPlacedAnew;
}

/** Invariant 2: since the last rest no unit was restarted without a reason. */
export function collateral(before: Seen, after: Seen, reasons: Reasons): readonly string[] {
  const problems: string[] = [];
  for (const [host, units] of before) {
    for (const [name, { active, invocation }] of units) {
      const now = after.get(host)?.get(name);
      if (active !== "active" || now?.invocation === invocation || isExcused(name, host, reasons)) continue;
      problems.push(`${name} on h${host} was ${now === undefined ? "taken away" : "restarted"} without a reason`);
    }
  }
  return problems;
}

/**
 * Invariant 7: what an engine says that it wrote was written while it led.
 *
 * @param restoredAt when etcd was restored last, whose revisions before that are others; null: it was not
 */
export async function deposedWrites(
  cluster: TestCluster,
  reigns: readonly Reign[],
  restoredAt: Date | null,
): Promise<readonly string[]> {
  const { network } = cluster.cluster;
  const problems: string[] = [];
  for (const host of LEADING) {
    const id = network.hosts.get(host)?.machineID ?? "";
    const since = restoredAt === null ? [] : [`--since=@${restoredAt.getTime() / 1000}`];
    const journal = await network.must(host, "journalctl", "-u", "fleet-engine", "-o", "cat", "--no-pager", ...since);
    for (const revision of writtenWithoutLeading(journal, id, reigns))
      problems.push(`h${host} wrote revision ${revision}, and did not lead then`);
  }
  return problems;
}

/**
 * Revisions that a machine's engine wrote and did not lead at; of the time before the first reign nothing is known.
 *
 * @param journal what that engine has logged
 */
export function writtenWithoutLeading(journal: string, machineID: string, reigns: readonly Reign[]): readonly number[] {
  const knownFrom = reigns[0]?.from ?? 0;
  return [...journal.matchAll(/\bwrittenAt(?:=|":)(\d+)/g)]
    .map(([, revision]) => Number(revision))
    .filter((at) => at >= knownFrom)
    .filter((at) => !reigns.some(({ id, from, to }) => id === machineID && from <= at && at <= to));
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

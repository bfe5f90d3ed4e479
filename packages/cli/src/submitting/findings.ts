import { realpathSync } from "node:fs";
import { basename } from "node:path";
import {
  type Finding,
  likeFindings,
  lintUnitFile,
  missingLeaders,
  parseUnitFile,
  peerFindings,
  peersOf,
  UnitFileError,
  type UnitOption,
  type UnitsByName,
} from "@fleet/domain/unit";
import type { ClusterClient } from "../client/cluster-client.ts";
import { findUnits } from "../client/find.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";

/** A local unit file. */
export interface UnitFile {
  readonly path: string;
  /** The name of the unit that it is for. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** systemd reads hundreds of files a second; one that hangs on a file must not hold up a submit. */
const SYSTEMD_MS = 5_000;
const FILES_A_TIME = 100;

/**
 * What is wrong with files, by path: by fleet's own rules, and by systemd's where it is at hand.
 *
 * @param client of the cluster that they are for, whose units they may name; null: only the files are known
 */
export async function findingsOf(
  context: Context,
  files: readonly UnitFile[],
  client: ClusterClient | null,
): Promise<ReadonlyMap<string, readonly Finding[]>> {
  const together = new Map(files.flatMap(({ name, bytes }) => optionsOf(name, bytes)));
  const [bySystemd, units] = await Promise.all([
    systemdFindings(context, files),
    client === null ? together : withPeers(client, together),
  ]);
  const missing = (name: string): readonly Finding[] => (client === null ? [] : missingLeaders(name, units));
  return new Map(
    files.map((file) => {
      const own = [...lintUnitFile(file.name, file.bytes), ...peerFindings(file.name, units), ...missing(file.name)];
      const more = (bySystemd.get(file.path) ?? []).filter(({ line }) => !own.some((finding) => finding.line === line));
      return [file.path, [...own, ...more].sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity))];
    }),
  );
}

/** Chains of MachineOf= are followed so far. */
const MOST_ROUNDS = 4;

/** Units, and those of the cluster that they name, and so on. */
async function withPeers(client: ClusterClient, units: UnitsByName): Promise<UnitsByName> {
  const known = new Map(units);
  const asked = new Set(known.keys());
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const named = new Set([...known].flatMap(([name, options]) => [...peersOf(name, options)]));
    const unasked = [...named].filter((name) => !asked.has(name));
    if (unasked.length === 0) break;
    for (const name of unasked) asked.add(name);
    for (const [name, { options }] of await findUnits(client, unasked)) known.set(name, options);
  }
  return known;
}

/** The options of a file by its unit's name; nothing where it can't be read, which is a finding of its own. */
function optionsOf(name: string, bytes: Uint8Array): readonly (readonly [string, readonly UnitOption[]])[] {
  try {
    return [[name, parseUnitFile(bytes)]];
  } catch (error) {
    if (error instanceof UnitFileError) return [];
    throw error;
  }
}

/**
 * Says what is likely a mistake in files that are about to be submitted.
 *
 * @throws CommandError where `strict` is set and there is anything to say
 */
export async function warnOfFindings(context: Context, files: readonly UnitFile[], strict: boolean): Promise<void> {
  if (files.length === 0) return;
  const found = likeFindings(await findingsOf(context, files, await context.client()));
  for (const { path, finding, more } of found) {
    const others = more === 0 ? "" : ` (and ${more} more like it)`;
    const text = `${findingText(path, finding)}${others}`;
    context.err(`${strict ? "Error" : "WARNING"}: ${text}${/[.?]$/.test(text) ? "" : "."}`);
  }
  if (strict && found.length > 0) throw new CommandError("nothing was submitted: --strict treats warnings as errors");
}

/** A finding with its place: `FILE:LINE: what`. */
export function findingText(path: string, { line, message }: Finding): string {
  return `${path}${line === null ? "" : `:${line}`}: ${message}`;
}

/**
 * What `systemd-analyze verify` says of lines, and why it refuses a unit. What it says of other machines' programs and
 * units is left out.
 */
async function systemdFindings(
  context: Context,
  files: readonly UnitFile[],
): Promise<ReadonlyMap<string, readonly Finding[]>> {
  const found = new Map<string, Finding[]>();
  // systemd takes a file's name for its unit's: one with another name can't be asked about.
  const readable = files.filter(({ path, name }) => basename(path) === name);
  const byRealPath = new Map(readable.map(({ path }) => [realPath(path), path]));
  const byName = new Map(readable.map(({ path, name }) => [name, path]));
  const paths = [...byRealPath.keys()];
  for (let start = 0; start < paths.length; start += FILES_A_TIME) {
    const command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"];
    const text = await context.output([...command, ...paths.slice(start, start + FILES_A_TIME)], SYSTEMD_MS);
    for (const line of text?.split("\n") ?? []) {
      const said = readLine(line);
      const path = said === null ? undefined : (byRealPath.get(said.of) ?? byName.get(said.of));
      if (said === null || path === undefined) continue;
      const finding: Finding = { line: said.line, severity: "warning", message: `systemd: ${said.message}` };
      found.set(path, [...(found.get(path) ?? []), finding]);
    }
  }
  return found;
}

/** A line of systemd's: `FILE:LINE: what`, or of a unit that it would not load `UNIT: what. Refusing.`; null: another. */
function readLine(
  text: string,
): { readonly of: string; readonly line: number | null; readonly message: string } | null {
  const [, file, number, what] = /^(\/[^:]+):(\d+): (.*?)\.?$/.exec(text) ?? [];
  if (file !== undefined && what !== undefined) return { of: file, line: Number(number), message: what };
  const [, unit, why] = /^([^\s/]+\.[a-z]+): (.*\bRefusing)\.?$/.exec(text) ?? [];
  return unit === undefined || why === undefined ? null : { of: unit, line: null, message: why };
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // gone since it was read: systemd will find nothing to say of it
  }
}

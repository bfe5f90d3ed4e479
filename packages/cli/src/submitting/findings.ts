import { realpathSync } from "node:fs";
import { basename } from "node:path";
import { type Finding, likeFindings, lintUnitFile } from "@fleet/domain/unit";
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

/** What is wrong with files, by path: by fleet's own rules, and by systemd's where it is at hand. */
export async function findingsOf(
  context: Context,
  files: readonly UnitFile[],
): Promise<ReadonlyMap<string, readonly Finding[]>> {
  const bySystemd = await systemdFindings(context, files);
  return new Map(
    files.map((file) => {
      const own = lintUnitFile(file.name, file.bytes);
      const more = (bySystemd.get(file.path) ?? []).filter(({ line }) => !own.some((finding) => finding.line === line));
      return [file.path, [...own, ...more].sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity))];
    }),
  );
}

/**
 * Says what is likely a mistake in files that are about to be submitted.
 *
 * @throws CommandError where `strict` is set and there is anything to say
 */
export async function warnOfFindings(context: Context, files: readonly UnitFile[], strict: boolean): Promise<void> {
  const found = likeFindings(await findingsOf(context, files));
  for (const { path, finding, more } of found) {
    const others = more === 0 ? "" : ` (and ${more} more like it)`;
    context.err(`${strict ? "Error" : "WARNING"}: ${findingText(path, finding)}${others}.`);
  }
  if (strict && found.length > 0)
    throw new CommandError("nothing was submitted: --strict takes only files without a warning");
}

/** A finding with its place: `FILE:LINE: what`. */
export function findingText(path: string, { line, message }: Finding): string {
  return `${path}${line === null ? "" : `:${line}`}: ${message}`;
}

/** What `systemd-analyze verify` says of lines; what it says of other machines' programs and units is left out. */
async function systemdFindings(
  context: Context,
  files: readonly UnitFile[],
): Promise<ReadonlyMap<string, readonly Finding[]>> {
  const found = new Map<string, Finding[]>();
  // systemd takes a file's name for its unit's: one with another name can't be asked about.
  const readable = files.filter(({ path, name }) => basename(path) === name);
  const byRealPath = new Map(readable.map(({ path }) => [realPath(path), path]));
  const paths = [...byRealPath.keys()];
  for (let start = 0; start < paths.length; start += FILES_A_TIME) {
    const command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"];
    const said = await context.output([...command, ...paths.slice(start, start + FILES_A_TIME)], SYSTEMD_MS);
    for (const line of said?.split("\n") ?? []) {
      const [, file = "", number = "", message = ""] = /^(\/[^:]+):(\d+): (.*?)\.?$/.exec(line) ?? [];
      const path = byRealPath.get(file);
      if (path === undefined) continue;
      const finding: Finding = { line: Number(number), severity: "warning", message: `systemd: ${message}` };
      found.set(path, [...(found.get(path) ?? []), finding]);
    }
  }
  return found;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // gone since it was read: systemd will find nothing to say of it
  }
}

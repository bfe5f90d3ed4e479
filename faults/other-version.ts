import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { BIN, ROOT } from "../deploy/local-cluster/cluster.ts";

/** Builds fleetd under another version's number, where that was not done since the last build; returns its path. */
export function otherVersion(): string {
  const folder = join(ROOT, "dist/older");
  const path = join(folder, "bin/fleetd");
  const builtAt = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = [join(ROOT, "packages/fleetd/dist/daemon.js"), join(BIN, "fleetd")];
  if (sources.some((source) => builtAt(path) <= builtAt(source)))
    execFileSync(process.execPath, [join(ROOT, "scripts/dist.ts"), "--version", "1.9.9", "--out", folder]);
  return path;
}

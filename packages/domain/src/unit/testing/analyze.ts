import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * What this machine's systemd says of unit files: the lines of `systemd-analyze verify`, by the name of the unit that each
 * is about, without the folder.
 *
 * @param files texts by unit name
 * @param withRelated whether units are loaded that these need, too
 */
export function analyze(
  files: ReadonlyMap<string, string>,
  withRelated = false,
): ReadonlyMap<string, readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "fleet-analyze-"));
  try {
    const paths = [...files].map(([name, text]) => {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    });
    const args = ["verify", "--man=no", `--recursive-errors=${withRelated ? "yes" : "no"}`, ...paths];
    const { stdout, stderr, error } = spawnSync("systemd-analyze", args, { encoding: "utf8", maxBuffer: 1 << 28 });
    if (error !== undefined) throw error;
    const said = new Map<string, string[]>([...files.keys()].map((name) => [name, []]));
    for (const line of `${stdout}\n${stderr}`.split("\n")) {
      const [, name = "", message = ""] = /^(?:Unit |\/\S*\/)?([^\s/:]+\.[a-z]+):? ?(.*)$/s.exec(line) ?? [];
      said.get(name)?.push(message);
    }
    return said;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

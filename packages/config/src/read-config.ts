import { readFileSync, statSync } from "node:fs";
import { ConfigError } from "./errors.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";
import { wideningProblems } from "./widening.ts";

/** The configuration file where the command line names none. */
export const DEFAULT_CONFIG_PATH = "/etc/fleet/fleet.conf";

/**
 * Reads the configuration from disk and environment: the file named, or /etc/fleet/fleet.conf if it is there.
 *
 * @param path the file given on the command line, which must then exist; null for the default one
 * @throws ConfigError
 */
export function readConfig(path: string | null, env: NodeJS.ProcessEnv): LoadedConfig {
  const file = path ?? DEFAULT_CONFIG_PATH;
  let text: string | null = null;
  try {
    text = readText(file);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (path !== null || !isMissing) {
      throw new ConfigError([`configuration file ${file} can't be read: ${(error as Error).message}`]);
    }
  }
  return loadConfig({ file: text === null ? null : { path: file, text }, env, readFile: readText });
}

/**
 * Reads the configuration of a running daemon anew. What looks like a file that is about to be written, or like rights
 * that were lost by mistake, is refused, and the daemon keeps what it has.
 *
 * @param path as at the start of the daemon
 * @param running the configuration that the daemon goes by now
 * @throws ConfigError
 */
export function rereadConfig(path: string | null, env: NodeJS.ProcessEnv, running: LoadedConfig): LoadedConfig {
  const next = readConfig(path, env);
  const problems = wideningProblems(running, next, path ?? DEFAULT_CONFIG_PATH);
  if (problems.length > 0) throw new ConfigError(problems);
  return next;
}

function readText(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw Object.assign(new Error("there is no such file"), { code: "ENOENT" });
  if (!stat.isFile()) throw new Error(stat.isDirectory() ? "it is a directory" : "it is not a regular file");
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(code === "EACCES" ? "permission denied" : String(code ?? error), { cause: error });
  }
}

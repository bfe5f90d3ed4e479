import type { LoadedConfig } from "./load.ts";

/**
 * Why a running daemon must not take a configuration over, as sentences for people; none: it may. A reload never opens
 * the API to more people or moves units by leaving something out, and never takes a file that has lost its options for
 * one that sets none, nor one whose protection would begin only later.
 *
 * @param file the path of the configuration file, for the sentences
 */
export function wideningProblems(running: LoadedConfig, next: LoadedConfig, file: string): readonly string[] {
  if (running.optionsInFile > 0 && next.optionsInFile === 0)
    return [`${file} is missing or has no option any more: put it back, or restart the daemon to run without it`];
  const problems: string[] = [];
  if (running.config.apiTokens !== null && next.config.apiTokens === null) {
    problems.push(
      "option api_tokens_file is no longer set: a reload does not open the API to everybody. Put it back, or restart the daemon to run without tokens",
    );
  }
  if (typeof running.config.apiTls?.clientCA === "string" && typeof next.config.apiTls?.clientCA !== "string") {
    problems.push(
      "option api_client_cafile is no longer set: a reload does not open the API to clients without a certificate. Put it back, or restart the daemon to serve them",
    );
  }
  if (running.config.apiTls?.clientCA === null && typeof next.config.apiTls?.clientCA === "string") {
    problems.push(
      "option api_client_cafile is newly set: clients are asked for certificates from a restart of the daemon on. Restart it, or leave the option out until then",
    );
  }
  if (Object.keys(running.config.metadata).length > 0 && !next.given.has("metadata")) {
    problems.push(
      "option metadata is no longer set: units that ask for it would move. Put it back, or write metadata= to have none",
    );
  }
  return problems;
}

import { type LoadedConfig, optionsAwaitingRestart, rereadConfig } from "@fleet/config";
import type { Logger } from "pino";
import type { RoleName } from "./arguments.ts";
import type { Daemon } from "./daemon.ts";
import { notifyStatus } from "./notify.ts";
import { answerReload, pendingRequest, type ReloadOutcome, runtimeDirectory } from "./reload-request.ts";

/** What a reload works on. */
export interface ReloadDeps {
  readonly daemon: Pick<Daemon, "reload" | "onReloaded">;
  readonly roles: readonly RoleName[];
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  readonly configPath: string | null;
  /** The configuration that the daemon has started with. */
  readonly loaded: LoadedConfig;
  readonly env?: NodeJS.ProcessEnv;
  /** Shows a sentence in `systemctl status`. */
  readonly status?: (text: string) => void;
}

/**
 * Takes a changed configuration over whole, or not at all. A failure is logged, shown as status and metric, and told to
 * a `fleetd --reload` that waits.
 */
export class Reloader {
  readonly #deps: ReloadDeps;
  readonly #env: NodeJS.ProcessEnv;
  readonly #status: (text: string) => void;
  #running: LoadedConfig;

  constructor(deps: ReloadDeps) {
    this.#deps = deps;
    this.#env = deps.env ?? process.env;
    this.#status = deps.status ?? ((text) => notifyStatus(this.#env, text));
    this.#running = deps.loaded;
  }

  reload(): void {
    this.#deps.log.info("Reloading configuration");
    // Read first: who asks while the configuration is read gets an answer of its own.
    const request = this.#exchange(pendingRequest);
    const outcome = this.#takeOver();
    if (request !== null) this.#exchange((directory) => answerReload(directory, { request, ...outcome }));
  }

  /** Uses the directory of requests; null where there is none. A full /run costs the answer, not the daemon. */
  #exchange<T>(use: (directory: string) => T): T | null {
    const directory = runtimeDirectory(this.#env);
    if (directory === null) return null;
    try {
      return use(directory);
    } catch (error) {
      this.#deps.log.error({ err: error }, "fleetd --reload can't be told what came of the reload");
      return null;
    }
  }

  #takeOver(): ReloadOutcome {
    const { daemon, log, configPath } = this.#deps;
    let next: LoadedConfig;
    try {
      next = rereadConfig(configPath, this.#env, this.#running);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error(`the configuration was not reloaded, and all of it stays as it was: ${reason}`);
      this.#status(`Reload failed, the configuration is as before: ${reason.replaceAll("\n", " ")}`);
      daemon.onReloaded(false);
      return { refusal: reason, pending: null };
    }
    sayLoaded(log, next);
    this.#running = next;
    daemon.onReloaded(true);
    const pending = this.#pendingOf(next);
    if (pending !== null) log.warn(pending);
    this.#status(pending ?? "");
    daemon.reload(next.config).catch((error: unknown) => {
      log.error({ err: error }, "the new configuration was applied, but etcd was not told of it yet");
    });
    return { refusal: null, pending };
  }

  /** What of a configuration the daemon goes by only once it starts anew; null: nothing. */
  #pendingOf({ config }: LoadedConfig): string | null {
    const { loaded, roles } = this.#deps;
    const names = optionsAwaitingRestart(loaded.config, config, roles);
    if (names.length === 0) return null;
    return `the configuration was reloaded, but a restart is needed for what has changed of ${names.join(", ")}`;
  }
}

/** Logs what a configuration gives reason to say. */
export function sayLoaded(log: Pick<Logger, "warn" | "error">, { warnings, errors }: LoadedConfig): void {
  for (const warning of warnings) log.warn(warning);
  for (const error of errors) log.error(error);
}

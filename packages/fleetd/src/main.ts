#!/usr/bin/env node
import "./runtime-setup.ts";
import { ConfigError, DEFAULT_CONFIG_PATH, type LoadedConfig, readConfig, VERSION } from "@fleet/config";
import type { Logger } from "pino";
import { HELP, readArguments } from "./arguments.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { exposedPassword } from "./exposed-password.ts";
import { createLog } from "./log.ts";
import { feedWatchdog, notifyReady } from "./notify.ts";
import { requestReload, runtimeDirectory } from "./reload-request.ts";
import { Reloader, sayLoaded } from "./reloader.ts";

void main();

function main(): Promise<void> | void {
  const invocation = readArguments(process.argv.slice(2));
  switch (invocation.kind) {
    case "version":
      process.stdout.write(`fleetd version ${VERSION}\n`);
      return;
    case "help":
      process.stdout.write(HELP);
      return;
    case "error":
      return fail(invocation.message);
    case "check-config":
      return checkConfig(invocation.configPath);
    case "reload":
      return reload(invocation.pid);
    case "run":
      process.title = "fleetd";
      return run(invocation.roles, invocation.configPath);
  }
}

/** Says what is wrong with the configuration; the exit code is 1 where a daemon would not take it. */
function checkConfig(configPath: string | null): void {
  try {
    const { warnings, errors } = readConfig(configPath, process.env);
    for (const sentence of [...warnings, ...errors]) process.stderr.write(`Warning: ${sentence}\n`);
    process.stdout.write("The configuration is valid.\n");
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    fail(error.message);
  }
}

/** Has a daemon reload its configuration; the exit code is 1 where the daemon does not take the new one over. */
async function reload(pid: number): Promise<void> {
  const directory = runtimeDirectory(process.env);
  if (directory === null)
    return fail("--reload is for ExecReload= of a unit with RuntimeDirectory=: use systemctl reload, or kill -HUP");
  try {
    const { refusal, pending } = await requestReload(directory, () => process.kill(pid, "SIGHUP"));
    if (pending !== null) process.stderr.write(`Warning: ${pending}\n`);
    if (refusal !== null) fail(`the configuration was not reloaded, and all of it stays as it was: ${refusal}`);
  } catch (error) {
    fail(`the reload failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function run(roles: Parameters<typeof startDaemon>[0], configPath: string | null): Promise<void> {
  let loaded: LoadedConfig;
  try {
    loaded = readConfig(configPath, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return fail(error.message);
  }
  const log = createLog(loaded.config, process.env);
  sayLoaded(log, loaded);
  sayExposed(log, loaded, configPath ?? DEFAULT_CONFIG_PATH);
  process.on("unhandledRejection", (error) => die(log, error));
  process.on("uncaughtException", (error) => die(log, error));
  let daemon: Daemon;
  try {
    daemon = await startDaemon(roles, loaded.config, log);
    listenToSignals(daemon, log, new Reloader({ daemon, roles, log, configPath, loaded }));
    await daemon.ready;
  } catch (error) {
    log.fatal({ err: error }, `fleetd can't start: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
  notifyReady(process.env, (message) => log.warn(message));
  void feedWatchdog(process.env, new AbortController().signal);
}

/** Warns where others may read etcd's password in the configuration file; one from the environment is not in it. */
function sayExposed(log: Logger, { config }: LoadedConfig, path: string): void {
  if (config.etcd.auth === null || process.env.FLEET_ETCD_PASSWORD !== undefined) return;
  const warning = exposedPassword(path);
  if (warning !== null) log.warn(warning);
}

function listenToSignals(daemon: Daemon, log: Logger, reloader: Reloader): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, "stopping");
    daemon.stop(signal === "SIGUSR2").then(
      () => {
        log.info("stopped");
        process.exit(0);
      },
      (error: unknown) => die(log, error),
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // `systemctl restart` sends this (RestartKillSignal= of the units in deploy/), and then units go on running.
  process.on("SIGUSR2", stop);
  process.on("SIGHUP", () => reloader.reload());
  process.on("SIGUSR1", () => process.stdout.write(`${JSON.stringify(daemon.snapshot())}\n`));
}

function fail(message: string): void {
  process.stderr.write(`Error: ${message.replaceAll("\n", "\nError: ")}\n`);
  process.exitCode = 1;
}

function die(log: Logger, error: unknown): void {
  log.fatal({ err: error }, "fleetd ends after an unexpected error; units go on running");
  process.exit(1);
}

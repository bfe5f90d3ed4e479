import type { RunResult, SystemdStates } from "@fleet/domain/unit";
import type { Install } from "../model/install.ts";

/** A unit to be made known to systemd. */
export interface UnitToLoad {
  readonly name: string;
  /** Of its file, which is there already. */
  readonly path: string;
  /** What its [Install] section says, by which it is enabled; null: it has none. */
  readonly install: Install | null;
}

/**
 * systemd refused something, or could not be asked. `unavailable`: there was no answer, so that it may have been done or
 * not: try again later.
 */
export class SystemdError extends Error {
  readonly unavailable: boolean;
  /** The D-Bus error name; empty where systemd said nothing. */
  readonly type: string;

  constructor(
    message: string,
    options: { readonly unavailable?: boolean; readonly type?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "SystemdError";
    this.unavailable = options.unavailable ?? false;
    this.type = options.type ?? "";
  }
}

/** A unit's name stands for something on this machine that is not fleet's: fleet leaves that unit alone. */
export class ForeignUnitError extends SystemdError {
  /** @param path of its file, in systemd's words; null: it has none, as a mount that was made by hand */
  constructor(unit: string, path: string | null) {
    const is = path === null ? "is there without a unit file," : `comes from ${path},`;
    const advice = path === null ? "take it away" : "remove that file";
    super(`${unit} on this machine ${is} not from fleet: ${advice}, or give the unit another name`);
    this.name = "ForeignUnitError";
  }
}

/** A start that systemd has accepted. */
export interface StartJob {
  /** Systemd's word for its result, such as `done` or `dependency`; rejected where the connection is lost before. */
  readonly ended: Promise<string>;
}

/** A service of fleet's own that no unit file describes. */
export interface OwnService {
  /** With `.service`. */
  readonly name: string;
  readonly description: string;
  /**
   * A path, and arguments. Plain words: of quotes, `;`, `$` and `%` systemd keeps something else once it has read its files
   * anew.
   */
  readonly command: readonly string[];
}

/** The few things that the agent asks of systemd. */
export interface Systemd {
  /** Hears of units whose state may have changed; null: any may have. */
  onChanged(listener: (name: string | null) => void): void;
  /** Fulfilled when the connection is lost; everything asked of it then fails. */
  readonly lost: Promise<void>;
  /**
   * Makes units known to systemd until the next boot. Returns what went wrong, by name; one's failure stops no other. A
   * name that stands for a file of somebody else's is a ForeignUnitError.
   */
  load(units: readonly UnitToLoad[]): Promise<ReadonlyMap<string, SystemdError>>;
  /**
   * Queues a start. Fulfilled when systemd has accepted it, not when the unit is up.
   *
   * @throws SystemdError where it refuses; a ForeignUnitError where the unit is not fleet's
   */
  start(name: string): Promise<StartJob>;
  /** The starts, by name, of those units whose start is queued or under way, whoever asked for it. */
  startsUnderWay(names: readonly string[]): Promise<ReadonlyMap<string, StartJob>>;
  /**
   * Stops a unit and waits until it is at rest. A unit that is not fleet's is left alone.
   *
   * @param onRunningWith told, before the stop, which other units run that systemd stops along with it
   * @returns names of those of them that run no more
   */
  stop(name: string, onRunningWith?: (names: readonly string[]) => void): Promise<readonly string[]>;
  /** Makes systemd forget stopped units: links, enablement and failed states. Returns what went wrong, by name. */
  unload(names: readonly string[]): Promise<ReadonlyMap<string, SystemdError>>;
  /** States of units by name, in systemd's words. */
  states(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>>;
  /** How the last runs of units ended, by name, where there is something to tell. Nothing is loaded for the question. */
  runResults(names: readonly string[]): Promise<ReadonlyMap<string, RunResult>>;
  /**
   * Makes sure that a service of fleet's own runs, which no unit file describes and which outlives the agent, however
   * often it is killed or stopped.
   *
   * @throws SystemdError where it can't be had; a ForeignUnitError where its name is somebody else's
   */
  ensureService(service: OwnService): Promise<void>;
  /** Kills all processes of units. */
  kill(names: readonly string[]): Promise<void>;
  close(): void;
}

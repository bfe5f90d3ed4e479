import { setTimeout as sleep } from "node:timers/promises";
import { AT_REST } from "@fleet/domain/unit";
import dbus from "dbus-next";
import type { Manager } from "./manager.ts";
import { ForeignUnitError, type OwnService, SystemdError } from "./systemd.ts";
import {
  EXEC_START_PROPERTY,
  KEEPER_PROPERTIES,
  SERVICE,
  SERVICE_PROPERTIES,
  TRANSIENT_PROPERTY,
  UNIT,
  UNIT_EXISTS,
} from "./wire.ts";

/** How long systemd may take to forget an older version of a service. */
const FORGETS_MS = 5_000;
const LOOK_MS = 20;
/** Tries to make a service whose name systemd has not let go of yet. */
const TRIES = 3;
/** How soon its keeper starts a service again that was stopped. */
const KEEPER_US = 1_000_000n;

/**
 * Keeps transient services running which must not depend on the agent. systemd restarts one that was killed, however
 * often; a transient timer of the same name, its keeper, has systemd start one again that was stopped.
 */
export class OwnServices {
  readonly #manager: Manager;

  constructor(manager: Manager) {
    this.#manager = manager;
  }

  /**
   * Makes sure that a service stands, with its keeper, and is this one: not a unit of somebody else's by that name, and no
   * older version.
   *
   * @throws SystemdError where it can't be had; a ForeignUnitError where its name is somebody else's
   */
  async ensure(service: OwnService): Promise<void> {
    const { name } = service;
    const keeper = keeperOf(name);
    const isOlder = (await this.#activeState(name)) !== null && !(await this.#runs(service));
    if (isOlder) await this.#remove(name, keeper);
    const [state, keeperState] = [await this.#activeState(name), await this.#activeState(keeper)];
    for (let tries = 1; keeperState === null || AT_REST.has(keeperState); tries++) {
      if (await this.#make(service, keeper, state === null)) break;
      if (tries === TRIES) throw new SystemdError(`systemd has not let go of the name ${name} or ${keeper} yet`);
      await sleep(LOOK_MS);
    }
    if (state !== null && !AT_REST.has(state) && state !== "deactivating") return;
    if (state === "failed") await this.#manager.resetFailed(name);
    await this.#manager.call("StartUnit", name, "replace");
  }

  /** The active state of a transient unit; null: systemd knows none by that name. */
  async #activeState(name: string): Promise<string | null> {
    const held = (await this.#manager.held([name])).get(name);
    if (held === undefined || held.load === "not-found") return null;
    if ((await this.#manager.propertyOf(name, UNIT, TRANSIENT_PROPERTY)) === true) return held.active;
    throw new ForeignUnitError(name, (await this.#manager.fragmentPath(name)) ?? "systemd itself");
  }

  /** Whether what systemd runs under the name is this command. */
  async #runs({ name, command }: OwnService): Promise<boolean> {
    const commands = (await this.#manager.propertyOf(name, SERVICE, EXEC_START_PROPERTY)) as
      | readonly (readonly [string, readonly string[]])[]
      | undefined;
    const [only, ...others] = commands ?? [];
    return others.length === 0 && JSON.stringify(only?.[1]) === JSON.stringify(command);
  }

  async #remove(...names: readonly string[]): Promise<void> {
    for (const name of [...names].reverse()) {
      if ((await this.#activeState(name)) !== null) await this.#manager.call("StopUnit", name, "replace");
      await this.#manager.resetFailed(name);
    }
    for (let waited = 0; waited < FORGETS_MS; waited += LOOK_MS) {
      if ((await this.#manager.held(names)).size === 0) return;
      await sleep(LOOK_MS);
    }
    throw new SystemdError(`systemd holds on to an older ${names[0]}: stop it`);
  }

  /** Makes the keeper, and the service with it where that is not there; false: a name is still taken. */
  async #make({ name, description, command }: OwnService, keeper: string, withService: boolean): Promise<boolean> {
    const service = properties(SERVICE_PROPERTIES, {
      Description: description,
      Type: "exec",
      ExecStart: [[command[0], command, false]],
      Restart: "always",
      StartLimitIntervalUSec: 0n,
      CollectMode: "inactive-or-failed",
    });
    const timer = properties(KEEPER_PROPERTIES, {
      Description: `keeps ${name} running`,
      TimersMonotonic: [
        ["OnActiveSec", 0n],
        ["OnUnitInactiveSec", KEEPER_US],
      ],
      AccuracyUSec: KEEPER_US / 10n,
      CollectMode: "inactive-or-failed",
    });
    try {
      await this.#manager.call("StartTransientUnit", keeper, "replace", timer, withService ? [[name, service]] : []);
      return true;
    } catch (error) {
      if (!(error instanceof SystemdError && error.type === UNIT_EXISTS)) throw error;
      const files = await this.#manager.filesOf([name, keeper]);
      for (const [taken, path] of files) throw new ForeignUnitError(taken, path);
      return false;
    }
  }
}

/** The timer that starts a service again. */
function keeperOf(service: string): string {
  return service.replace(/\.service$/, ".timer");
}

function properties<K extends string>(
  signatures: Readonly<Record<K, string>>,
  values: Readonly<Record<K, unknown>>,
): readonly (readonly [string, unknown])[] {
  const keys = Object.keys(values) as K[];
  return keys.map((key) => [key, new dbus.Variant(signatures[key], values[key])]);
}

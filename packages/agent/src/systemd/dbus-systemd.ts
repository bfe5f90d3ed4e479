import type { SystemdStates } from "@fleet/domain/unit";
import dbus, { type Message } from "dbus-next";
import { Bus } from "./bus.ts";
import { linksFolder, removeLinks } from "./links.ts";
import { ReloadDebt } from "./reload-debt.ts";
import { type Systemd, SystemdError, type UnitToLoad } from "./systemd.ts";
import {
  ADD_MATCH,
  BUS,
  BUS_PATH,
  CHANGES_RULE,
  GET_PROPERTY,
  JOB_REMOVED,
  JOBS_RULE,
  MANAGER,
  MANAGER_PATH,
  MISSING_ERRORS,
  NEED_RELOAD_PROPERTY,
  NO_SUCH_UNIT,
  PROPERTIES,
  PROPERTIES_CHANGED,
  REMOVE_MATCH,
  SERVICE_PROPERTIES,
  SIGNATURES,
  SYSTEMD,
  UNIT,
  UNIT_EXISTS,
  type UnitRow,
  unitOfPath,
  unitPath,
  VERSION_PROPERTY,
} from "./wire.ts";

/** A stop that takes longer is reported and tried again; systemd goes on with it meanwhile. */
const STOP_MS = 300_000;
/** From this version on a new unit file is found without a reload; measured on 252. */
const FINDS_NEW_FILES = 245;
/** ListUnitsByNames came with this version. */
const LISTS_BY_NAMES = 230;

/** More units than these starting at a time are heard of by the ends of their jobs only. */
const FEW_STARTS = 8;
const RELOAD_AGAIN_MS = 5_000;
const HEAR_AGAIN_MS = 100;
const DEAF_AT_MOST_MS = 2_000;
const TO_BUS = { destination: BUS, path: BUS_PATH, interface: BUS } as const;

type ManagerMethod = keyof typeof SIGNATURES;

/** systemd over D-Bus. */
export class DBusSystemd implements Systemd {
  readonly lost: Promise<void>;
  readonly #bus: Bus;
  readonly #version: number;
  readonly #links: string;
  readonly #debt: ReloadDebt;
  readonly #listeners = new Set<(name: string | null) => void>();
  /** Units whose start has been asked for and has not ended. */
  readonly #starting = new Set<string>();
  #isDeaf = false;
  #hearAgain: NodeJS.Timeout | undefined;
  #reloadLater: NodeJS.Timeout | undefined;
  readonly #jobs = new Map<string, (result: string) => void>();
  readonly #abandon = new Set<(error: SystemdError) => void>();
  /** Ends of jobs that came before the answer that names the job. */
  readonly #earlyJobs = new Map<string, string>();

  private constructor(bus: Bus, version: number, links: string, debt: ReloadDebt) {
    this.#bus = bus;
    this.#version = version;
    this.#links = links;
    this.#debt = debt;
    this.lost = bus.lost;
    bus.onMessage((message) => this.#hear(message));
    void bus.lost.then(() => {
      for (const abandon of this.#abandon) {
        abandon(new SystemdError("the connection to D-Bus was lost", { unavailable: true }));
      }
    });
  }

  /**
   * Connects to the system's systemd, or to the user's.
   *
   * @param unitsFolder where the unit files are; a file beside them notes that systemd has yet to look at them anew
   * @param links where systemd keeps the links of units that are linked or enabled until the next boot
   * @throws SystemdError where D-Bus or systemd can't be reached
   */
  static async connect(isUser: boolean, unitsFolder: string, links = linksFolder(isUser)): Promise<DBusSystemd> {
    const bus = await Bus.connect(isUser);
    try {
      for (const rule of [JOBS_RULE, CHANGES_RULE]) await bus.call({ ...TO_BUS, ...ADD_MATCH, body: [rule] });
      const version = majorVersion(await property(bus, MANAGER_PATH, MANAGER, VERSION_PROPERTY));
      const debt = new ReloadDebt(unitsFolder);
      const systemd = new DBusSystemd(bus, version, links, debt);
      await systemd.#call("Subscribe");
      if (debt.isOwed) await systemd.#reloadInTime();
      return systemd;
    } catch (error) {
      bus.close();
      throw error;
    }
  }

  onChanged(listener: (name: string | null) => void): void {
    this.#listeners.add(listener);
  }

  async load(units: readonly UnitToLoad[]): Promise<ReadonlyMap<string, SystemdError>> {
    const failed = new Map<string, SystemdError>();
    if (await this.#debt.during(() => this.#install(units, failed))) await this.#reload();
    return failed;
  }

  async start(name: string): Promise<void> {
    this.#starting.add(name);
    this.#listenLess();
    try {
      await this.#call("StartUnit", name, "replace");
    } catch (error) {
      this.#started(name);
      throw error;
    }
  }

  async stop(name: string): Promise<void> {
    let job: string;
    try {
      job = String((await this.#call("StopUnit", name, "replace"))[0]);
    } catch (error) {
      if (error instanceof SystemdError && error.type === NO_SUCH_UNIT) return;
      throw error;
    }
    const result = await this.#jobEnd(job, name);
    if (result !== "done" && result !== "skipped") {
      throw new SystemdError(
        `stopping ${name} ended with result ${result}: systemctl status ${name} on the machine has more`,
      );
    }
  }

  async unload(names: readonly string[]): Promise<ReadonlyMap<string, SystemdError>> {
    const failed = new Map<string, SystemdError>();
    for (const [name, row] of await this.#loaded(names)) {
      if (row[3] === "failed") await this.#quietly("ResetFailedUnit", name);
      else if (row[3] !== "inactive")
        failed.set(name, new SystemdError(`${name} is ${row[3]} again: it was started by hand`));
    }
    const stopped = names.filter((name) => !failed.has(name));
    if (stopped.length === 0) return failed;
    const wasEnabled = await this.#debt.during(() => this.#disable(stopped, failed));
    // What pulled the unit in, such as multi-user.target, holds on to it, and to its text, until systemd looks anew.
    if (wasEnabled) await this.#reloadInTime();
    return failed;
  }

  async states(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>> {
    if (names.length === 0) return new Map();
    const wanted = new Set(names);
    const rows =
      this.#version >= LISTS_BY_NAMES ? await this.#rows("ListUnitsByNames", names) : await this.#rows("ListUnits");
    const states = new Map<string, SystemdStates>();
    for (const row of rows) if (wanted.has(row[0])) states.set(row[0], statesOf(row));
    for (const name of names) {
      if (!states.has(name)) states.set(name, { load: "not-found", active: "inactive", sub: "dead" });
    }
    return states;
  }

  async ensureService(name: string, description: string, command: readonly string[]): Promise<void> {
    const values: Record<keyof typeof SERVICE_PROPERTIES, unknown> = {
      Description: description,
      Type: "exec",
      // systemd would put variables of its own in for $.
      ExecStart: [[command[0], command.map((word) => word.replaceAll("$", () => "$$")), false]],
      Restart: "always",
      CollectMode: "inactive-or-failed",
    };
    const properties = Object.entries(SERVICE_PROPERTIES).map(([key, signature]) => [
      key,
      new dbus.Variant(signature, values[key as keyof typeof SERVICE_PROPERTIES]),
    ]);
    try {
      await this.#call("StartTransientUnit", name, "fail", properties, []);
    } catch (error) {
      if (!(error instanceof SystemdError && error.type === UNIT_EXISTS)) throw error;
    }
  }

  close(): void {
    clearTimeout(this.#hearAgain);
    clearTimeout(this.#reloadLater);
    this.#bus.close();
  }

  /**
   * Has systemd look at its files anew; where it refuses, as it does while /run is full, again and again until it does.
   * Nothing waits for it: what is gone is only still remembered. What this connection does not live to do is left to the
   * next, of this agent or of another.
   */
  async #reloadInTime(): Promise<void> {
    clearTimeout(this.#reloadLater);
    try {
      await this.#reload();
    } catch (error) {
      if (this.#bus.isLost) throw error;
      this.#reloadLater = setTimeout(() => void this.#reloadInTime().catch(() => undefined), RELOAD_AGAIN_MS);
    }
  }

  async #reload(): Promise<void> {
    await this.#call("Reload");
    this.#debt.settle();
  }

  /** Links units, or enables them; returns whether systemd has to look at its files anew. */
  async #install(units: readonly UnitToLoad[], failed: Map<string, SystemdError>): Promise<boolean> {
    let needsReload = this.#version < FINDS_NEW_FILES;
    // What systemd still holds of an earlier unit of the name would be started instead of the new text.
    const held = await this.#loaded(units.map(({ name }) => name));
    for (const [name, row] of held) {
      if (row[3] === "failed") await this.#quietly("ResetFailedUnit", name);
    }
    const plain = units.filter(({ hasInstall }) => !hasInstall);
    await this.#link(plain, failed);
    for (const { name, path } of units.filter(({ hasInstall }) => hasInstall)) {
      try {
        await this.#call("EnableUnitFiles", [path], true, true);
        needsReload = true;
      } catch (error) {
        failed.set(name, failure(error));
        await this.#disable([name], new Map());
      }
    }
    for (const name of held.keys()) {
      needsReload ||= (await property(this.#bus, unitPath(name), UNIT, NEED_RELOAD_PROPERTY)) === true;
    }
    return needsReload;
  }

  /** Links all in one call; where systemd refuses one, it links none, so each is then tried by itself. */
  async #link(units: readonly UnitToLoad[], failed: Map<string, SystemdError>): Promise<void> {
    if (units.length === 0) return;
    try {
      await this.#call(
        "LinkUnitFiles",
        units.map(({ path }) => path),
        true,
        true,
      );
    } catch (error) {
      const reason = failure(error);
      const [only] = units;
      if (reason.unavailable) throw reason;
      if (units.length === 1 && only !== undefined) failed.set(only.name, reason);
      else for (const unit of units) await this.#link([unit], failed);
    }
  }

  /** Takes all links to units away; returns whether any of them was enabled. */
  async #disable(names: readonly string[], failed: Map<string, SystemdError>): Promise<boolean> {
    try {
      return await this.#removeLinks(names);
    } catch (error) {
      const reason = failure(error);
      const [only] = names;
      if (reason.unavailable) throw reason;
      if (names.length === 1 && only !== undefined) {
        failed.set(only, reason);
        return false;
      }
    }
    // systemd has stopped at the first that it does not find or refuses.
    let wasEnabled = false;
    for (const name of names) wasEnabled = (await this.#disable([name], failed)) || wasEnabled;
    return wasEnabled;
  }

  async #removeLinks(names: readonly string[]): Promise<boolean> {
    let wasEnabled = false;
    try {
      wasEnabled = hasEnablement(await this.#call("DisableUnitFiles", names, true));
    } catch (error) {
      if (names.length > 1 || !isMissing(error)) throw error;
    }
    return removeLinks(this.#links, names) || wasEnabled;
  }

  async #loaded(names: readonly string[]): Promise<ReadonlyMap<string, UnitRow>> {
    if (names.length === 0) return new Map();
    const wanted = new Set(names);
    const rows =
      this.#version >= LISTS_BY_NAMES
        ? await this.#rows("ListUnitsByPatterns", [], names.map(asPattern))
        : await this.#rows("ListUnits");
    return new Map(
      rows.filter(([name, , load]) => wanted.has(name) && load !== "not-found").map((row) => [row[0], row]),
    );
  }

  async #rows(method: ManagerMethod, ...args: readonly unknown[]): Promise<readonly UnitRow[]> {
    return (await this.#call(method, ...args))[0] as readonly UnitRow[];
  }

  #call(method: ManagerMethod, ...args: readonly unknown[]): Promise<unknown[]> {
    return this.#bus.call({
      destination: SYSTEMD,
      path: MANAGER_PATH,
      interface: MANAGER,
      member: method,
      signature: SIGNATURES[method],
      body: [...args],
    });
  }

  /** For cleaning up, where it does not matter that there may be nothing to clean. */
  async #quietly(method: ManagerMethod, ...args: readonly unknown[]): Promise<void> {
    try {
      await this.#call(method, ...args);
    } catch (error) {
      if (failure(error).unavailable) throw error;
    }
  }

  #hear(message: Message): void {
    if (message.member === PROPERTIES_CHANGED && message.path) {
      const name = unitOfPath(message.path);
      if (name !== null) this.#changed(name);
    } else if (message.member === JOB_REMOVED && message.path === MANAGER_PATH) {
      const [, job, name, result] = message.body as [number, string, string, string];
      const done = this.#jobs.get(job);
      if (done === undefined) {
        this.#earlyJobs.set(job, result);
        if (this.#earlyJobs.size > 1000) this.#earlyJobs.delete(this.#earlyJobs.keys().next().value ?? "");
      } else {
        done(result);
      }
      this.#started(name);
      this.#changed(name);
    }
  }

  /**
   * While many units start, systemd sends six or more changes of each, and the end of its job says all that matters: changes
   * are then not listened to, and where nobody else on this machine listens, such as logind, systemd does not even write
   * them. The ends of jobs go to who asked for them all the same. Once the last job has ended changes are listened to
   * again, and everything is looked at; after a while also where jobs are still under way, since some take long.
   */
  #listenLess(): void {
    if (this.#isDeaf || this.#starting.size <= FEW_STARTS) return;
    this.#isDeaf = true;
    void this.#setListening("Unsubscribe", REMOVE_MATCH.member);
    this.#hearAgain = setTimeout(() => this.#listen(), DEAF_AT_MOST_MS);
  }

  #started(name: string): void {
    this.#starting.delete(name);
    if (this.#starting.size > 0 || !this.#isDeaf) return;
    clearTimeout(this.#hearAgain);
    this.#hearAgain = setTimeout(() => this.#listen(), HEAR_AGAIN_MS);
  }

  #listen(): void {
    this.#isDeaf = false;
    this.#starting.clear();
    void this.#setListening("Subscribe", ADD_MATCH.member).then(() => this.#changed(null));
  }

  async #setListening(method: "Subscribe" | "Unsubscribe", rule: string): Promise<void> {
    try {
      await Promise.all([
        this.#call(method),
        this.#bus.call({ ...TO_BUS, ...ADD_MATCH, member: rule, body: [CHANGES_RULE] }),
      ]);
    } catch {
      // Without its signals the connection is of no use: a new one starts over.
      this.#bus.close();
    }
  }

  #changed(name: string | null): void {
    for (const listener of this.#listeners) listener(name);
  }

  async #jobEnd(job: string, name: string): Promise<string> {
    const early = this.#earlyJobs.get(job);
    if (early !== undefined) {
      this.#earlyJobs.delete(job);
      return early;
    }
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(
      () => reject(new SystemdError(`${name} has been stopping for ${STOP_MS / 1000} s: it is still running`)),
      STOP_MS,
    );
    this.#jobs.set(job, resolve);
    this.#abandon.add(reject);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#abandon.delete(reject);
      this.#jobs.delete(job);
    }
  }
}

/**
 * What systemd says of a unit. One whose start is queued, behind others or for a moment only, is on its way, though for
 * systemd itself it is as it was before: inactive, like one that has run and ended, or still failed.
 */
function statesOf([, , load, active, sub, , , job, jobType]: UnitRow): SystemdStates {
  const isQueued = job !== 0 && jobType === "start" && (active === "inactive" || active === "failed");
  return isQueued ? { load, active: "activating", sub: "waiting" } : { load, active, sub };
}

/** Whether DisableUnitFiles has taken away a link by which another unit pulled one in. */
function hasEnablement([changes]: readonly unknown[]): boolean {
  return (changes as readonly (readonly [string, string, string])[]).some(([, path]) =>
    /\.(wants|requires)\//.test(path),
  );
}

async function property(bus: Bus, path: string, owner: string, name: string): Promise<unknown> {
  const [variant] = await bus.call({
    destination: SYSTEMD,
    path,
    interface: PROPERTIES,
    ...GET_PROPERTY,
    body: [owner, name],
  });
  return (variant as { value?: unknown } | undefined)?.value;
}

/** "252.39-1~deb12u2" → 252 */
function majorVersion(version: unknown): number {
  return Number(/\d+/.exec(String(version))?.[0] ?? 0);
}

function failure(error: unknown): SystemdError {
  return error instanceof SystemdError ? error : new SystemdError(String(error), { cause: error });
}

function isMissing(error: unknown): boolean {
  return error instanceof SystemdError && MISSING_ERRORS.has(error.type);
}

/** Names are matched as globs there; a backslash in a name is the only character that would not stand for itself. */
function asPattern(name: string): string {
  return name.replaceAll("\\", "\\\\");
}

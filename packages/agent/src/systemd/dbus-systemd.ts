import { AT_REST, type RunResult, type SystemdStates } from "@fleet/domain/unit";
import type { Message } from "dbus-next";
import { Bus } from "./bus.ts";
import { ChangeSignals } from "./change-signals.ts";
import { foreignPathOf } from "./foreign-unit.ts";
import { Jobs } from "./jobs.ts";
import { Manager, RUNS, systemdErrorOf } from "./manager.ts";
import { OwnServices } from "./own-service.ts";
import { PendingReload } from "./pending-reload.ts";
import { RunResults } from "./run-results.ts";
import {
  ForeignUnitError,
  type OwnService,
  type StartJob,
  type Systemd,
  SystemdError,
  type UnitToLoad,
} from "./systemd.ts";
import { UnitFiles } from "./unit-files.ts";
import { linksFolder, UnitLinks } from "./unit-links.ts";
import { UnitStates } from "./unit-states.ts";
import {
  ADD_MATCH,
  BUS,
  BUS_PATH,
  CHANGES_RULE,
  JOB_REMOVED,
  JOBS_RULE,
  MANAGER_PATH,
  NAME_OWNER_CHANGED,
  NO_SUCH_UNIT,
  ONLY_BY_DEPENDENCY,
  OWNER_RULE,
  PROPERTIES_CHANGED,
  RELOADING,
  RELOADS_RULE,
  REMOVE_MATCH,
  SYSTEMD,
  unitOfPath,
} from "./wire.ts";

const SIGKILL = 9;
const TO_BUS = { destination: BUS, path: BUS_PATH, interface: BUS } as const;

/** systemd over D-Bus. */
export class DBusSystemd implements Systemd {
  readonly lost: Promise<void>;
  readonly #bus: Bus;
  readonly #manager: Manager;
  readonly #files: UnitFiles;
  readonly #links: UnitLinks;
  readonly #states: UnitStates;
  /** Reloads that this object has asked for and that are not over: it knows of all they may change. */
  #ownReloads = 0;
  readonly #runResults: RunResults;
  readonly #pendingReload: PendingReload;
  readonly #ownServices: OwnServices;
  readonly #jobs = new Jobs();
  readonly #changes: ChangeSignals;

  private constructor(bus: Bus, manager: Manager, unitsFolder: string, links: UnitLinks) {
    this.lost = bus.lost;
    this.#bus = bus;
    this.#manager = manager;
    this.#links = links;
    this.#states = new UnitStates(manager, this.#links);
    this.#runResults = new RunResults(manager);
    this.#ownServices = new OwnServices(manager);
    this.#files = new UnitFiles(manager, this.#links);
    this.#pendingReload = new PendingReload({
      unitsFolder,
      reload: () => this.#reload(),
      isLost: () => bus.isLost,
    });
    this.#changes = new ChangeSignals({
      setListening: (isListening) => this.#setListening(isListening),
      onFailure: () => bus.close(),
    });
    bus.onMessage((message) => this.#hear(message));
    void bus.lost.then(() =>
      this.#jobs.abandon(new SystemdError("the connection to D-Bus was lost", { unavailable: true })),
    );
  }

  /**
   * Connects to the system's systemd, or to the user's.
   *
   * @param unitsFolder where the unit files are; a file beside them notes that systemd has yet to reload
   * @param root systemd's root folder as this process sees it; empty: its own. The folder of the unit files is in it
   * @throws SystemdError where D-Bus or systemd can't be reached
   */
  static async connect(isUser: boolean, unitsFolder: string, root = ""): Promise<DBusSystemd> {
    const bus = await Bus.connect(isUser);
    try {
      for (const rule of [OWNER_RULE, JOBS_RULE, RELOADS_RULE, CHANGES_RULE])
        await bus.call({ ...TO_BUS, ...ADD_MATCH, body: [rule] });
      const manager = await Manager.connect(bus);
      const links = new UnitLinks(root + linksFolder(isUser), unitsFolder, root);
      const systemd = new DBusSystemd(bus, manager, unitsFolder, links);
      await manager.call("Subscribe");
      if (systemd.#pendingReload.isNoted) await systemd.#pendingReload.reloadInTime();
      return systemd;
    } catch (error) {
      bus.close();
      throw error;
    }
  }

  onChanged(listener: (name: string | null) => void): void {
    this.#changes.onChanged(listener);
  }

  async load(units: readonly UnitToLoad[]): Promise<ReadonlyMap<string, SystemdError>> {
    const failed = new Map<string, SystemdError>();
    this.#states.forget(units.map(({ name }) => name));
    const needsReload = await this.#pendingReload.during(() => this.#files.install(units, failed));
    if (needsReload) await this.#pendingReload.reload();
    return failed;
  }

  async start(name: string): Promise<StartJob> {
    const path = await this.#foreignPath(name);
    if (path !== null) throw new ForeignUnitError(name, path);
    this.#changes.startBegins(name);
    try {
      const [job] = await this.#manager.call("StartUnit", name, "replace");
      return { ended: this.#jobs.ended(String(job)) };
    } catch (error) {
      this.#changes.jobEnded(name);
      throw error;
    }
  }

  async startsUnderWay(names: readonly string[]): Promise<ReadonlyMap<string, StartJob>> {
    const started = new Map<string, StartJob>();
    // The end of one that is listed is heard: its signal comes after, or has come since.
    for (const [name, job] of await this.#manager.startJobs(names)) started.set(name, { ended: this.#jobs.ended(job) });
    return started;
  }

  async stop(name: string, onRunningWith?: (names: readonly string[]) => void): Promise<readonly string[]> {
    if ((await this.#foreignPath(name)) !== null) return [];
    const running = await this.#manager.runningWith(name);
    onRunningWith?.(running);
    await this.#stopNow(name);
    const now = await this.#manager.held(running);
    return running.filter((other) => !RUNS.has(now.get(other)?.active ?? "inactive"));
  }

  async #stopNow(name: string): Promise<void> {
    let job: string;
    try {
      job = String((await this.#manager.call("StopUnit", name, "replace"))[0]);
    } catch (error) {
      const type = error instanceof SystemdError ? error.type : "";
      if (type === NO_SUCH_UNIT) return;
      // It refuses to be stopped by hand (RefuseManualStop=yes): one that is down needs no stop.
      if (
        type === ONLY_BY_DEPENDENCY &&
        AT_REST.has((await this.#manager.held([name])).get(name)?.active ?? "inactive")
      )
        return;
      throw error;
    }
    const result = await this.#jobs.waitForStop(job, name);
    if (result !== "done" && result !== "skipped") {
      throw new SystemdError(
        `stopping ${name} ended with result ${result}: systemctl status ${name} on the machine has more`,
      );
    }
  }

  async unload(names: readonly string[]): Promise<ReadonlyMap<string, SystemdError>> {
    const failed = new Map<string, SystemdError>();
    const foreign = new Set<string>();
    for (const [name, active] of await this.#manager.activeStates(names)) {
      if ((await this.#foreignPath(name)) !== null) foreign.add(name);
      else if (active === "failed") await this.#manager.resetFailed(name);
      else if (active !== "inactive")
        failed.set(name, new SystemdError(`${name} is ${active} again: it was started by hand, or by another unit`));
    }
    const stopped = names.filter((name) => !failed.has(name));
    if (stopped.length === 0) return failed;
    const wasEnabled = await this.#pendingReload.during(() => this.#files.disable(stopped, failed));
    this.#states.forget(stopped);
    const own = stopped.filter((name) => !foreign.has(name));
    await this.#forget(own, wasEnabled, failed);
    return failed;
  }

  /**
   * Makes sure that systemd has forgotten units whose links are gone. Whatever refers to one, a target that pulled it in
   * or any other loaded unit, has systemd hold on to it and to its text, and start it again, until it reloads.
   *
   * @param failed is given what went wrong, by name
   */
  async #forget(names: readonly string[], wasEnabled: boolean, failed: Map<string, SystemdError>): Promise<void> {
    const isRemembered = [...(await this.#manager.held(names)).values()].some(({ load }) => load === "loaded");
    if (!wasEnabled && !isRemembered) return;
    this.#pendingReload.note();
    await this.#pendingReload.reloadInTime();
    for (const [name, { load, active }] of await this.#manager.held(names)) {
      if (load !== "not-found" || AT_REST.has(active)) continue;
      try {
        await this.#stopNow(name);
      } catch (error) {
        const reason = systemdErrorOf(error);
        if (reason.unavailable) throw reason;
        failed.set(name, reason);
      }
    }
  }

  states(names: readonly string[]): Promise<ReadonlyMap<string, SystemdStates>> {
    return this.#states.of(names);
  }

  runResults(names: readonly string[]): Promise<ReadonlyMap<string, RunResult>> {
    return this.#runResults.of(names);
  }

  ensureService(service: OwnService): Promise<void> {
    return this.#ownServices.ensure(service);
  }

  async kill(names: readonly string[]): Promise<void> {
    for (const name of (await this.#manager.held(names)).keys()) {
      try {
        await this.#manager.call("KillUnit", name, "all", SIGKILL);
      } catch (error) {
        // Nothing of it may be left.
        if (systemdErrorOf(error).unavailable) throw error;
      }
    }
  }

  #foreignPath(name: string): Promise<string | null> {
    return foreignPathOf(this.#manager, this.#links, name);
  }

  close(): void {
    this.#changes.close();
    this.#pendingReload.close();
    this.#bus.close();
  }

  async #reload(): Promise<void> {
    this.#ownReloads++;
    try {
      await this.#manager.call("Reload");
    } finally {
      this.#ownReloads--;
    }
  }

  #hear(message: Message): void {
    if (message.member === NAME_OWNER_CHANGED && message.interface === BUS && message.body[0] === SYSTEMD) {
      // It has forgotten who listens to it, and what it was asked: a new connection looks at everything.
      this.#bus.close();
    } else if (message.member === PROPERTIES_CHANGED && message.path) {
      const name = unitOfPath(message.path);
      if (name !== null) this.#changes.tell(name);
    } else if (message.member === RELOADING && message.path === MANAGER_PATH) {
      if (message.body[0] === true && this.#ownReloads === 0) this.#states.forgetAll();
    } else if (message.member === JOB_REMOVED && message.path === MANAGER_PATH) {
      const [, job, name, result] = message.body as [number, string, string, string];
      this.#jobs.noteEnd(job, result);
      this.#changes.jobEnded(name);
      this.#changes.tell(name);
    }
  }

  async #setListening(isListening: boolean): Promise<void> {
    // Nobody was told of reloads meanwhile.
    this.#states.forgetAll();
    const member = isListening ? ADD_MATCH.member : REMOVE_MATCH.member;
    await Promise.all([
      this.#manager.call(isListening ? "Subscribe" : "Unsubscribe"),
      this.#bus.call({ ...TO_BUS, ...ADD_MATCH, member, body: [CHANGES_RULE] }),
    ]);
  }
}

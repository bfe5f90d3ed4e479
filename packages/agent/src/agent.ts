import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, VERSION } from "@fleet/config";
import { type MachineRecord, RegistryError } from "@fleet/domain/cluster";
import { ReconcileLoop, SaidOnce } from "@fleet/loop";
import type { Mirror, Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";
import type { AgentFailpoint } from "./failpoint.ts";
import { detectAddress } from "./machine/address.ts";
import { readInstanceID, readMachineID } from "./machine/identity.ts";
import { UnitDirectory } from "./machine/unit-directory.ts";
import { Membership } from "./membership.ts";
import { PartitionWatchdog } from "./partition-watchdog.ts";
import { Reconciler } from "./reconciler.ts";
import type { AgentOptions, RunningAgent } from "./running-agent.ts";
import { StatePublisher } from "./state-publisher.ts";
import { type Systemd, SystemdError } from "./systemd/systemd.ts";
import { SystemdConnection } from "./systemd-connection.ts";
import { UnitRunner } from "./unit-runner.ts";
import { UnitTexts } from "./unit-texts.ts";
import { UnknownUnits } from "./unknown-units.ts";

const FULL_CHECK_MS = 30_000;
/** How long units may take to stop when the agent does; fleet's units allow 90 s in all. */
const LEAVE_MS = 70_000;
const END_MS = 5_000;
/** How long a stopping agent waits for a systemd that it has no connection to. */
const NO_SYSTEMD_MS = 3_000;

/**
 * Starts the agent of this machine.
 *
 * @throws IdentityError where the machine has no ID
 */
export function startAgent(options: AgentOptions): RunningAgent {
  return new Agent(options);
}

class Agent implements RunningAgent {
  readonly machineID: string;
  readonly #instanceID: string;
  #config: Config;
  readonly #registry: Registry;
  readonly #log: BaseLogger;
  readonly #connection: SystemdConnection;
  readonly #mirror: Mirror;
  readonly #runner: UnitRunner;
  readonly #membership: Membership;
  readonly #publisher: StatePublisher;
  readonly #reconciler: Reconciler;
  readonly #reconcile: ReconcileLoop;
  readonly #publish: ReconcileLoop;
  readonly #stopping = new AbortController();
  readonly #leaving = new AbortController();
  readonly #texts: UnitTexts;
  readonly #unknown: UnknownUnits;
  readonly #done: Promise<unknown>;
  #isAdopted = false;
  readonly #watchdog: PartitionWatchdog;
  readonly #watchdogTrouble = new SaidOnce((error) =>
    this.#trouble(error, "units with OnPartition=stop are stopped and wait: their watchdog could not be armed"),
  );
  readonly #entered = Promise.withResolvers<void>();
  /** What a leaving agent does with its units. */
  #keepsUnits = false;

  constructor({ config, registry, log, machineID, connectSystemd, failpoint = () => undefined }: AgentOptions) {
    this.machineID = machineID ?? readMachineID();
    this.#config = config;
    this.#registry = registry;
    this.#texts = new UnitTexts(registry);
    this.#log = log;
    this.#instanceID = readInstanceID(dirname(config.unitsDirectory));
    this.#mirror = registry.mirror({
      ranges: registry.keys.agentRanges(this.machineID),
      pollMs: config.disableWatches ? 1_000 : null,
      onTrouble: ({ code, message }) =>
        log.warn({ code }, `the agent's view of the registry is interrupted, units go on running: ${message}`),
    });
    this.#mirror.onChanges(() => this.#reconcile.trigger());
    const directory = new UnitDirectory(config.unitsDirectory);
    this.#watchdog = new PartitionWatchdog({
      folder: directory.stopsOnPartitionFolder,
      launched: directory.launchedFolder,
      ttlMs: config.agentTtlMs,
      isUser: config.systemdUser,
      onLack: (reason) => log.warn(`OnPartition=stop has one watchdog where it should have two: ${reason}`),
    });
    this.#runner = this.#makeRunner(directory, failpoint);
    this.#unknown = new UnknownUnits({
      machineID: this.machineID,
      registry,
      mirror: this.#mirror,
      directory,
      log,
      present: () => this.#runner.present.keys(),
      onTouched: (name) => this.#touch(name),
    });
    this.#publisher = new StatePublisher({
      runner: this.#runner,
      systemd: () => this.#connection.current,
      onMissing: () => this.#reconcile.trigger(),
      endedNote: (name, state) => this.#reconciler.endedNote(name, state),
    });
    this.#membership = this.#makeMembership();
    this.#connection = this.#makeConnection(connectSystemd);
    this.#reconciler = new Reconciler({
      machineID: this.machineID,
      registry,
      mirror: this.#mirror,
      membership: this.#membership,
      directory,
      texts: this.#texts,
      runner: this.#runner,
      unknown: this.#unknown,
      metadata: () => this.#config.metadata,
      systemd: () => this.#connection.current,
    });
    this.#reconcile = new ReconcileLoop({
      round: () => this.#reconcileRound(),
      onError: (error) => this.#trouble(error, "reconciling failed and is tried again"),
    });
    this.#publish = new ReconcileLoop({
      round: () => this.#publisher.round(),
      onError: (error) => {
        this.#touchAll();
        this.#trouble(error, "publishing states failed and is tried again");
      },
    });
    const { signal } = this.#stopping;
    this.#done = Promise.all([
      this.#mirror.run(this.#leaving.signal),
      this.#membership.run(signal),
      this.#connection.run(signal),
      this.#reconcile.run(signal),
      this.#publish.run(signal),
    ]);
  }

  isAccepted = (): boolean => this.#membership.refusal === null;

  get entered(): Promise<void> {
    return this.#entered.promise;
  }

  async reload(config: Config): Promise<void> {
    this.#config = config;
    this.#reconcile.trigger();
    await this.#membership.update(this.#leaving.signal);
  }

  snapshot(): unknown {
    const wanted = this.#reconciler.wanted();
    return {
      machine: this.#record(),
      isEntered: this.#membership.isEntered,
      lease: this.#membership.leaseID,
      revision: this.#mirror.revision,
      isConnected: this.#mirror.isConnected,
      isConnectedToSystemd: this.#connection.current !== null,
      wanted: [...wanted.units.values()],
      unclear: [...wanted.unclear],
      ...(this.#runner.snapshot() as object),
    };
  }

  async stop(units = this.#config.unitsOnShutdown): Promise<void> {
    this.#keepsUnits = units === "keep";
    this.#leaving.abort();
    const deadline = performance.now() + LEAVE_MS;
    if (!this.#keepsUnits) {
      this.#log.info({ units: this.#runner.present.size }, "stopping and unloading all units");
      this.#reconcile.trigger();
      const giveUpAt = performance.now() + NO_SYSTEMD_MS;
      const isHopeless = (): boolean => this.#connection.current === null && performance.now() > giveUpAt;
      while (!this.#isEmpty && !isHopeless() && performance.now() < deadline) {
        await sleep(20);
        this.#reconcile.trigger();
      }
      if (!this.#isEmpty) {
        this.#log.error({ units: [...this.#runner.present.keys()] }, "some units could not be unloaded before the end");
      }
    }
    while (!this.#runner.isIdle && performance.now() < deadline) await sleep(10);
    this.#stopping.abort();
    await Promise.race([this.#done, sleep(END_MS)]);
    // A machine whose units could not be stopped stays entered until its lease ends: they must not run twice.
    if (!this.#keepsUnits && this.#isEmpty) {
      // The lease takes the machine and all its states with it.
      await this.#membership
        .leave()
        .catch((error: unknown) =>
          this.#trouble(error, "the machine could not be taken out of the registry; its lease will end"),
        );
    }
    this.#watchdog.close();
    this.#connection.close();
  }

  get #isEmpty(): boolean {
    return this.#isAdopted && this.#runner.present.size === 0 && this.#runner.isIdle;
  }

  #makeRunner(directory: UnitDirectory, failpoint: (point: AgentFailpoint) => void): UnitRunner {
    return new UnitRunner({
      directory,
      isWatchdogArmed: () => this.#watchdog.isArmed,
      watchdogTrouble: () => this.#watchdog.trouble,
      isStillOurs: (name) => this.#isStillOurs(name),
      isUnknown: (name) => this.#unknown.has(name),
      log: this.#log,
      text: (hash) => this.#texts.get(hash),
      onTouched: (name) => this.#touch(name),
      takeBackEnded: (name) => this.#publisher.takeBackEnded(name),
      failpoint,
      onProgress: () => this.#reconcile.trigger(),
    });
  }

  #makeMembership(): Membership {
    return new Membership({
      etcd: this.#registry.etcd,
      keys: this.#registry.keys,
      log: this.#log,
      ttlMs: this.#config.agentTtlMs,
      record: () => this.#record(),
      onEntered: async (registration) => {
        this.#publisher.begin(registration, await registration.publishedNames(), await registration.endedHashes());
        this.#reconciler.entered(registration.revision);
        this.#entered.resolve();
        this.#touchAll();
        this.#reconcile.trigger();
      },
      onBeat: (askedAt) => {
        if (this.#reconciler.needsWatchdog) void this.#armWatchdog(askedAt);
      },
      beatMs: () => (this.#reconciler.needsWatchdog ? this.#watchdog.beatMs : null),
    });
  }

  #makeConnection(connect: () => Promise<Systemd>): SystemdConnection {
    return new SystemdConnection({
      log: this.#log,
      connect,
      onChanged: (name) => {
        if (name === null) this.#touchAll();
        else if (this.#watchdog.isOwn(name)) this.#lookAtWatchdog();
        else if (this.#runner.present.has(name)) this.#touch(name);
      },
      onConnected: async (systemd) => {
        if (!this.#isAdopted) this.#runner.adopt();
        this.#isAdopted = true;
        await this.#runner.resume(systemd);
      },
      // Whatever happened without a connection was not heard of.
      onReady: () => {
        this.#log.info({ units: this.#runner.present.size }, "connected to systemd");
        this.#touchAll();
        this.#reconcile.trigger();
      },
    });
  }

  /** Something has become of the watchdog: its units are not left without one until the next heart-beat. */
  #lookAtWatchdog(): void {
    if (!this.#reconciler.needsWatchdog) return;
    void this.#withWatchdog(async (systemd) => {
      await this.#watchdog.look(systemd);
      return false;
    });
  }

  /** Whether etcd itself, not the mirror that may be behind, has a unit on this machine. */
  async #isStillOurs(name: string): Promise<boolean> {
    const { keys } = this.#registry;
    return (
      (await this.#registry.has(keys.schedule(this.machineID, name))) || (await this.#registry.has(keys.global(name)))
    );
  }

  async #reconcileRound(): Promise<number> {
    if (!this.#leaving.signal.aborted) return this.#reconciler.round();
    return this.#keepsUnits ? FULL_CHECK_MS : this.#reconciler.clearRound();
  }

  async #armWatchdog(askedAt: number): Promise<void> {
    const wasArmed = this.#watchdog.isArmed;
    if (!(await this.#withWatchdog((systemd) => this.#watchdog.arm(systemd, askedAt)))) return;
    if (!wasArmed) this.#reconcile.trigger();
  }

  /** Looks at the watchdog, or arms it; false: it is not armed anew. What it has stopped is taken note of. */
  async #withWatchdog(work: (systemd: Systemd) => Promise<boolean>): Promise<boolean> {
    const systemd = this.#connection.current;
    if (systemd === null) return false;
    const before = this.#watchdog.trouble;
    let isDone = false;
    try {
      isDone = await work(systemd);
      if (isDone) this.#watchdogTrouble.over();
    } catch (error) {
      this.#watchdogTrouble.say(error instanceof Error ? error : new Error(String(error)));
    }
    if (isDone || this.#watchdog.trouble !== null) this.#runner.noticeStoppedByWatchdog();
    if (before !== this.#watchdog.trouble) this.#touchAll();
    return isDone;
  }

  #record(): MachineRecord {
    return {
      id: this.machineID,
      primaryIP: this.#config.publicIP ?? detectAddress(),
      hostname: hostname(),
      metadata: this.#config.metadata,
      version: VERSION,
      capabilities: [],
      instanceID: this.#instanceID,
    };
  }

  #touch(name: string): void {
    this.#publisher.touch(name);
    this.#publish.trigger();
  }

  #touchAll(): void {
    this.#publisher.touchAll();
    this.#publish.trigger();
  }

  #trouble(error: unknown, what: string): void {
    const isExpected = error instanceof RegistryError || error instanceof SystemdError;
    const message = error instanceof Error ? error.message : String(error);
    if (isExpected) this.#log.warn(`${what}: ${message}`);
    else this.#log.error({ err: error }, `${what}: ${message}`);
  }
}

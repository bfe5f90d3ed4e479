import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, VERSION } from "@fleet/config";
import {
  type MachineRecord,
  RegistryError,
  type StateRecord,
  type UnitRecord,
  type Versioned,
} from "@fleet/domain/cluster";
import type { Requirements } from "@fleet/domain/unit";
import { backoff, ReconcileLoop } from "@fleet/loop";
import type { Mirror, Registry } from "@fleet/registry";
import type { BaseLogger } from "pino";
import type { AgentFailpoint } from "./failpoint.ts";
import { detectAddress } from "./machine/address.ts";
import { readInstanceID, readMachineID } from "./machine/identity.ts";
import { UnitDirectory } from "./machine/unit-directory.ts";
import { Membership } from "./membership.ts";
import { mayComeBack } from "./model/come-back.ts";
import { neededHashes, type Wanted, wantedOn } from "./model/wanted.ts";
import { PartitionWatchdog } from "./partition-watchdog.ts";
import { StatePublisher } from "./state-publisher.ts";
import { type Systemd, SystemdError } from "./systemd/systemd.ts";
import { UnitRunner } from "./unit-runner.ts";
import { UnitTexts } from "./unit-texts.ts";

/** What an agent is built from. */
export interface AgentOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly log: BaseLogger;
  /** 32 hex digits; by default the ID of this machine. */
  readonly machineID?: string;
  /** Connects to systemd; asked again whenever the connection was lost. */
  readonly connectSystemd: () => Promise<Systemd>;
  /** Called between two effects, for tests: it may not return. Absent: nothing happens there. */
  readonly failpoint?: (point: AgentFailpoint) => void;
}

/** A running agent. */
export interface RunningAgent {
  readonly machineID: string;
  /** Whether the registry takes this machine: false while another agent holds its ID. */
  readonly isAccepted: () => boolean;
  /** Fulfilled once the machine is in the registry. */
  readonly entered: Promise<void>;
  reload(config: Config): Promise<void>;
  snapshot(): unknown;
  /**
   * Leaves the cluster.
   *
   * @param units what becomes of its units; by default as units_on_shutdown says
   */
  stop(units?: Config["unitsOnShutdown"]): Promise<void>;
}

const FULL_CHECK_MS = 30_000;
/** How long a machine that has entered, anew or after a crash, waits for the engine to place what ran on it. */
const SETTLE_MS = 5_000;
const FEW_UNITS = 4;
const GATHER_MS = 20;
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
  readonly #connectSystemd: () => Promise<Systemd>;
  readonly #mirror: Mirror;
  readonly #runner: UnitRunner;
  readonly #membership: Membership;
  readonly #publisher = new StatePublisher();
  readonly #reconcile: ReconcileLoop;
  readonly #publish: ReconcileLoop;
  readonly #stopping = new AbortController();
  readonly #leaving = new AbortController();
  readonly #texts: UnitTexts;
  readonly #touched = new Set<string>();
  readonly #done: Promise<unknown>;
  #systemd: Systemd | null = null;
  #isAdopted = false;
  #wasEntered = false;
  readonly #directory: UnitDirectory;
  readonly #watchdog: PartitionWatchdog;
  /** Whether units of this machine must not outlive its lease. */
  #needsWatchdog = false;
  /** Until then the engine may give back what it took off this machine while it was away, by performance.now(). */
  #settlesAt = 0;
  readonly #entered = Promise.withResolvers<void>();
  /** The etcd revision at which it last entered the registry. */
  #enteredAt = 0;
  /** What a leaving agent does with its units. */
  #keepsUnits = false;

  constructor({ config, registry, log, machineID, connectSystemd, failpoint = () => undefined }: AgentOptions) {
    this.machineID = machineID ?? readMachineID();
    this.#config = config;
    this.#registry = registry;
    this.#texts = new UnitTexts(registry);
    this.#log = log;
    this.#connectSystemd = connectSystemd;
    this.#instanceID = readInstanceID(dirname(config.unitsDirectory));
    this.#mirror = registry.mirror({
      ranges: registry.keys.agentRanges(this.machineID),
      pollMs: config.disableWatches ? 1_000 : null,
      onTrouble: (error) =>
        log.warn(
          { code: error.code },
          `the agent's view of the registry is interrupted, units go on running: ${error.message}`,
        ),
    });
    this.#mirror.onChanges(() => this.#reconcile.trigger());
    const directory = new UnitDirectory(config.unitsDirectory);
    this.#directory = directory;
    this.#watchdog = new PartitionWatchdog({
      folder: directory.stopsOnPartitionFolder,
      launched: directory.launchedFolder,
      ttlMs: config.agentTtlMs,
      isUser: config.systemdUser,
    });
    this.#runner = new UnitRunner({
      directory,
      isWatchdogArmed: () => this.#watchdog.isArmed,
      isStillOurs: async (name) => {
        const { etcd, keys } = registry;
        for (const key of [keys.schedule(this.machineID, name), keys.global(name)]) {
          if ((await etcd.range({ start: key, end: `${key}\0` }, { limit: 1 })).keyValues.length > 0) return true;
        }
        return false;
      },
      log,
      text: (hash) => this.#texts.get(hash),
      onTouched: (name) => this.#touch(name),
      failpoint,
      onProgress: () => this.#reconcile.trigger(),
    });
    this.#membership = new Membership({
      etcd: registry.etcd,
      keys: registry.keys,
      log,
      ttlMs: config.agentTtlMs,
      record: () => this.#record(),
      onEntered: async (registration) => {
        this.#publisher.begin(registration, await registration.publishedNames());
        this.#settlesAt = performance.now() + SETTLE_MS;
        this.#enteredAt = registration.revision;
        this.#wasEntered = true;
        this.#entered.resolve();
        this.#touchAll();
        this.#reconcile.trigger();
      },
      onBeat: (askedAt) => {
        if (this.#needsWatchdog) void this.#armWatchdog(askedAt);
      },
      beatMs: () => (this.#needsWatchdog ? this.#watchdog.beatMs : null),
    });
    this.#reconcile = new ReconcileLoop({
      round: () => this.#reconcileRound(),
      onError: (error) => this.#trouble(error, "reconciling failed and is tried again"),
    });
    this.#publish = new ReconcileLoop({
      round: () => this.#publishRound(),
      onError: (error) => {
        this.#touchAll();
        this.#trouble(error, "publishing states failed and is tried again");
      },
    });
    const { signal } = this.#stopping;
    this.#done = Promise.all([
      this.#mirror.run(this.#leaving.signal),
      this.#membership.run(signal),
      this.#stayConnected(signal),
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
    const wanted = this.#wanted();
    return {
      machine: this.#record(),
      isEntered: this.#membership.isEntered,
      lease: this.#membership.leaseID,
      revision: this.#mirror.revision,
      isConnected: this.#mirror.isConnected,
      isConnectedToSystemd: this.#systemd !== null,
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
      const isHopeless = (): boolean => this.#systemd === null && performance.now() > giveUpAt;
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
    this.#systemd?.close();
  }

  get #isEmpty(): boolean {
    return this.#isAdopted && this.#runner.present.size === 0 && this.#runner.isIdle;
  }

  /** Keeps a connection to systemd, and looks at everything anew after each time it was lost. */
  async #stayConnected(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let saidWhy: string | null = null;
    while (!signal.aborted) {
      try {
        const systemd = await this.#connectSystemd();
        systemd.onChanged((name) => {
          if (name === null) this.#touchAll();
          else if (this.#runner.present.has(name)) this.#touch(name);
        });
        if (!this.#isAdopted) await this.#runner.adopt();
        this.#isAdopted = true;
        this.#systemd = systemd;
        failures = 0;
        saidWhy = null;
        this.#log.info({ units: this.#runner.present.size }, "connected to systemd");
        this.#touchAll();
        this.#reconcile.trigger();
        await Promise.race([systemd.lost, aborted(signal)]);
        if (signal.aborted) return;
        this.#systemd = null;
        systemd.close();
        this.#log.warn("the connection to systemd was lost; the units go on running");
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== saidWhy) this.#log.error({ err: error }, `systemd can't be used, trying again: ${message}`);
        saidWhy = message;
        await sleep(backoff(failures++), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Takes one step of every unit. Acts only on a registry that was read whole, or when everything is to go. */
  async #reconcileRound(): Promise<number> {
    const isLeaving = this.#leaving.signal.aborted;
    const systemd = this.#systemd;
    if (systemd === null) return FULL_CHECK_MS;
    // A machine that the registry never took, or refuses for another with the same ID, has no units of its own. One
    // that was taken goes on, also while it is out of touch.
    const mayAct = this.#mirror.isReady && this.#wasEntered && this.#membership.refusal === null;
    if (!mayAct && !isLeaving) return FULL_CHECK_MS;
    let wanted: Wanted = { units: new Map(), unclear: new Set() };
    if (!isLeaving) {
      await this.#texts.fetch(neededHashes(this.machineID, this.#mirror.state));
      wanted = this.#wanted();
      // Also where what is wanted can't be told for a moment: the watchdog must not fire for that.
      const hasStopsOnPartition =
        [...wanted.units.values()].some(({ stopsOnPartition }) => stopsOnPartition) ||
        this.#directory.hasStopsOnPartition;
      const isNew = hasStopsOnPartition && !this.#needsWatchdog;
      this.#needsWatchdog = hasStopsOnPartition;
      const mayComeBack = await this.#mayComeBack(wanted);
      wanted = { units: wanted.units, unclear: new Set([...wanted.unclear, ...mayComeBack]) };
      // Units wait for a heart-beat that arms the watchdog: it is not waited for until its turn.
      if (isNew) this.#membership.beat();
    } else if (this.#keepsUnits) {
      return FULL_CHECK_MS;
    }
    while (await this.#runner.step(systemd, wanted.units, wanted.unclear)) {
      // The next step of a unit that is done with one: a load leads to a start.
    }
    const retryAt = Math.min(
      this.#runner.nextRetryAt ?? Number.POSITIVE_INFINITY,
      this.#settlesAt > performance.now() ? this.#settlesAt : Number.POSITIVE_INFINITY,
    );
    return Math.min(FULL_CHECK_MS, Math.max(10, retryAt - performance.now()));
  }

  async #armWatchdog(askedAt: number): Promise<void> {
    const systemd = this.#systemd;
    if (systemd === null) return;
    const wasArmed = this.#watchdog.isArmed;
    try {
      if (!(await this.#watchdog.arm(systemd, askedAt))) return;
    } catch (error) {
      this.#watchdog.close();
      this.#trouble(error, "units with OnPartition=stop wait: their watchdog could not be armed");
      return;
    }
    this.#runner.noticeStoppedByWatchdog();
    if (!wasArmed) this.#reconcile.trigger();
  }

  /**
   * Units of this machine that a lost lease took off it and that nobody else has: the engine is about to place them,
   * maybe here. They are left running until this machine is back, and for a moment after.
   */
  async #mayComeBack(wanted: Wanted): Promise<readonly string[]> {
    if (this.#membership.isSure && performance.now() >= this.#settlesAt) return [];
    const names = [...this.#runner.present.keys()].filter((name) => !wanted.units.has(name));
    let records: ReadonlyMap<string, Versioned<UnitRecord>>;
    try {
      records = await this.#registry.units(names);
    } catch (error) {
      if (error instanceof RegistryError) return names;
      throw error;
    }
    const machine = { id: this.machineID, isSure: this.#membership.isSure, enteredAt: this.#enteredAt };
    return names.filter((name) => mayComeBack(records.get(name), machine));
  }

  async #publishRound(): Promise<number> {
    const systemd = this.#systemd;
    if (systemd === null || !this.#publisher.isOpen) return FULL_CHECK_MS;
    // One unit's change is told at once. While many change, each goes through several states in a moment: what is told
    // a little later is told once.
    if (this.#touched.size > FEW_UNITS) await sleep(GATHER_MS);
    const names = this.#touched.size > 0 ? [...this.#touched] : this.#allNames();
    this.#touched.clear();
    const present = names.filter((name) => this.#runner.present.has(name));
    const states = await systemd.states(present);
    if (this.#runner.noticeMissing(states)) this.#reconcile.trigger();
    const records = new Map<string, StateRecord | null>();
    for (const name of names) records.set(name, this.#runner.stateOf(name, states.get(name)));
    await this.#publisher.publish(records);
    return FULL_CHECK_MS;
  }

  #wanted(): Wanted {
    const { keys } = this.#registry;
    const malformed = new Set<string>();
    for (const key of this.#mirror.state.malformed) {
      const parsed = keys.parse(key);
      if (parsed?.kind === "schedule" || parsed?.kind === "global") malformed.add(parsed.name);
    }
    const requirementsOf = (name: string, hash: string): Requirements | null => this.#texts.requirements(name, hash);
    return wantedOn(this.machineID, this.#config.metadata, this.#mirror.state, requirementsOf, malformed);
  }

  #record(): MachineRecord {
    return {
      id: this.machineID,
      primaryIP: this.#config.publicIP ?? detectAddress(),
      metadata: this.#config.metadata,
      version: VERSION,
      capabilities: [],
      instanceID: this.#instanceID,
    };
  }

  #touch(name: string): void {
    this.#touched.add(name);
    this.#publish.trigger();
  }

  #touchAll(): void {
    for (const name of this.#allNames()) this.#touched.add(name);
    this.#publish.trigger();
  }

  #allNames(): string[] {
    return [...new Set([...this.#runner.present.keys(), ...this.#publisher.names])];
  }

  #trouble(error: unknown, what: string): void {
    const isExpected = error instanceof RegistryError || error instanceof SystemdError;
    const message = error instanceof Error ? error.message : String(error);
    if (isExpected) this.#log.warn(`${what}: ${message}`);
    else this.#log.error({ err: error }, `${what}: ${message}`);
  }
}

/** Fulfilled once a signal is aborted, at once where it is already. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

import type { Config } from "@fleet/config";
import { RegistryError } from "@fleet/domain/cluster";
import { type Decision, ModelFeed } from "@fleet/domain/placement";
import { ReconcileLoop, SaidOnce } from "@fleet/loop";
import { type EtcdSpace, type Leadership, type Mirror, type Registry, readSpace } from "@fleet/registry";
import type { BaseLogger } from "pino";
import { Committer } from "./committer.ts";
import { CompactionWatch } from "./compaction-watch.ts";
import { LeaderElector } from "./leader-elector.ts";
import { noteLost } from "./lost-machines.ts";
import { MachineGrace } from "./machine-grace.ts";
import { Mover } from "./mover.ts";
import { MovingStates } from "./moving-states.ts";
import { Pipeline } from "./pipeline.ts";
import { Roller } from "./roller.ts";
import { SectionWriter } from "./section-writer.ts";
import { SpaceWatch } from "./space-watch.ts";
import { Sweeper } from "./sweeper.ts";
import { WaitingReport } from "./waiting-report.ts";

/** Hears what the engine does, for metrics. Times are in seconds. */
export interface EngineObserver {
  readonly onLeading: (startedAt: Date | null) => void;
  readonly onReconciled: (seconds: number, succeeded: boolean) => void;
  /** How many units there are, told when anything has changed, also while another engine leads. */
  readonly onUnits: (count: number) => void;
  readonly onTask: (kind: "AttemptScheduleUnit" | "UnscheduleUnit", succeeded: boolean) => void;
  /** How full etcd's members are, told once a minute while this engine leads. */
  readonly onSpace?: (space: readonly EtcdSpace[]) => void;
}

/** What an engine is built from. */
export interface EngineOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly log: BaseLogger;
  /** Names this engine among others; the machine's ID where it has one. */
  readonly id: string;
  readonly observer: EngineObserver;
  /** How full etcd's members are; by default they are asked. */
  readonly space?: () => Promise<readonly EtcdSpace[]>;
}

/** A running engine. */
export interface RunningEngine {
  readonly isLeading: () => boolean;
  reload(config: Config): void;
  snapshot(): unknown;
  /** Steps down and ends. */
  stop(): Promise<void>;
}

/** Rises when engines of two versions must not act on the same cluster. The old fleet's was 1. */
export const ENGINE_VERSION = 2;

const MOST_LEADER_TTL_MS = 10_000;
/** Reconcile intervals between two looks at everything. */
const FULL_CHECK_EVERY = 30;

/** Starts an engine: it leads if nobody else does, and stands by with the same knowledge if somebody does. */
export function startEngine(options: EngineOptions): RunningEngine {
  return new Engine(options);
}

class Engine implements RunningEngine {
  #config: Config;
  readonly #registry: Registry;
  readonly #log: BaseLogger;
  readonly #id: string;
  readonly #observer: EngineObserver;
  readonly #mirror: Mirror;
  readonly #feed: ModelFeed;
  readonly #sweeper: Sweeper;
  readonly #sections: SectionWriter;
  readonly #grace: MachineGrace;
  readonly #compaction: CompactionWatch;
  readonly #mover: Mover;
  readonly #movingStates: MovingStates;
  readonly #rollStates: MovingStates;
  readonly #roller: Roller;
  readonly #pipeline: Pipeline;
  readonly #loop: ReconcileLoop;
  readonly #stopping = new AbortController();
  readonly #done: Promise<unknown>;
  readonly #elector: LeaderElector;
  #hasLed = false;
  /** Whether it might act at its last look at the cluster. */
  #hasActed = false;
  #checkedAt = 0;
  readonly #waiting: WaitingReport;
  /** Why this engine does not lead although nobody does. */
  readonly #standsBack: SaidOnce<Error>;

  constructor({ config, registry, log, id, observer, space = () => readSpace(config.etcd) }: EngineOptions) {
    this.#config = config;
    this.#registry = registry;
    this.#log = log;
    this.#id = id;
    this.#observer = observer;
    this.#sweeper = new Sweeper(registry);
    this.#compaction = new CompactionWatch(registry, log);
    this.#elector = new LeaderElector({
      etcd: registry.etcd,
      keys: registry.keys,
      onTrouble: (error) =>
        log.warn({ code: error.code }, `the engine's heart-beat failed and is tried again: ${error.message}`),
      onLost: (why) => this.#ended(why),
    });
    this.#mirror = registry.mirror({
      ranges: registry.keys.engineRanges(),
      pollMs: config.disableWatches ? config.engineReconcileIntervalMs : null,
      onTrouble: (error) =>
        log.warn({ code: error.code }, `the engine's view of the registry is interrupted: ${error.message}`),
    });
    this.#feed = new ModelFeed(this.#mirror.state);
    this.#sections = new SectionWriter(registry, this.#mirror);
    this.#grace = new MachineGrace({ registry, log, model: this.#feed.model, agentTtlMs: config.agentTtlMs });
    this.#waiting = new WaitingReport(this.#feed.model, log);
    this.#standsBack = new SaidOnce(({ message }) => log.warn(message));
    this.#loop = new ReconcileLoop({
      round: () => this.#round(),
      onError: (error) => this.#failed(error),
    });
    this.#mirror.onChanges((changes) => {
      observer.onUnits(this.#mirror.state.units.size);
      this.#grace.take(changes);
      this.#sweeper.note(changes);
      this.#feed.apply(changes);
      this.#loop.trigger();
      this.#mover.trigger();
      this.#roller.trigger();
    });
    this.#pipeline = new Pipeline({
      feed: this.#feed,
      state: this.#mirror.state,
      committer: new Committer(registry),
      mayAct: (leadership) => this.#mayAct(leadership),
      revision: () => this.#mirror.revision,
      onDone: (decision, decidedAt, writtenAt) => this.#report(decision, decidedAt, writtenAt),
      onLost: (decision) => observer.onTask(kindOf(decision), false),
    });
    const statesOf = (what: string, onChanged: () => void): MovingStates =>
      new MovingStates({
        ...{ registry, pollMs: config.disableWatches ? config.engineReconcileIntervalMs : null, onChanged },
        onTrouble: (error) =>
          log.warn({ code: error.code }, `the engine's view of a unit that ${what} is interrupted: ${error.message}`),
      });
    const leadership = (): Leadership | null => {
      const { leadership: held } = this.#elector;
      return held !== null && this.#mayAct(held) ? held : null;
    };
    this.#movingStates = statesOf("moves", () => this.#mover.trigger());
    this.#rollStates = statesOf("is rolled", () => this.#roller.trigger());
    this.#roller = new Roller({ registry, log, state: this.#mirror.state, states: this.#rollStates, leadership });
    this.#mover = new Mover({
      registry,
      log,
      state: this.#mirror.state,
      model: this.#feed.model,
      states: this.#movingStates,
      leadership,
      hold: (unit, isHeld) => {
        if (this.#pipeline.hold(unit, isHeld)) this.#loop.trigger();
      },
    });
    const onSpace = observer.onSpace ?? (() => undefined);
    const spaceWatch = new SpaceWatch({ read: space, isLeading: this.isLeading, log, onSpace });
    const { signal } = this.#stopping;
    const parts = [this.#mover, this.#roller, this.#mirror, this.#loop, this.#grace, spaceWatch];
    this.#done = Promise.all(parts.map((part) => part.run(signal)));
  }

  isLeading = (): boolean => this.#elector.leadership !== null;

  reload(config: Config): void {
    this.#config = config;
    this.#loop.trigger();
  }

  snapshot(): unknown {
    return {
      isLeading: this.isLeading(),
      leader: this.#mirror.state.leader,
      revision: this.#mirror.revision,
      isConnected: this.#mirror.isConnected,
      units: this.#feed.model.units.size,
      machines: this.#feed.model.machineCount,
      dirty: this.#feed.model.dirtyCount,
      inFlight: this.#pipeline.inFlight,
      moving: this.#mover.busy,
      waiting: this.#waiting.list(),
    };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
    await Promise.all([this.#movingStates.close(), this.#rollStates.close()]);
    await this.#stepDown().catch((error: unknown) => this.#failed(error));
  }

  /** One look at the cluster: lead if nobody does; if leading, decide and write until nothing is left to decide. */
  async #round(): Promise<number> {
    const pauseMs = this.#config.engineReconcileIntervalMs;
    if (!this.#mirror.isReady) return pauseMs;
    if (this.#config.disableEngine) {
      await this.#stepDown();
      return pauseMs;
    }
    const { since } = this.#elector;
    if (since !== null && this.#mirror.revision >= since && this.#mirror.state.leader?.createRevision !== since) {
      this.#elector.release();
      this.#ended("its key in etcd is gone");
    }
    const leadership = this.#elector.leadership ?? (await this.#campaign());
    if (leadership === null) return pauseMs;
    const mayAct = this.#mayAct(leadership);
    // The mover may have looked before, and waits for something to change.
    if (mayAct && !this.#hasActed) {
      this.#mover.trigger();
      this.#roller.trigger();
    }
    this.#hasActed = mayAct;
    if (!mayAct) return Math.min(pauseMs, 200);
    const graceMs = this.#grace.endDue();
    const startedAt = performance.now();
    if (startedAt - this.#checkedAt > FULL_CHECK_EVERY * pauseMs) {
      this.#checkedAt = startedAt;
      this.#feed.model.markAllDirty();
      const removed = await this.#sweeper.sweep(this.#mirror.state, leadership);
      await this.#sweeper.sweepEnded(this.#mirror.state, leadership);
      await this.#compaction.look(this.#mirror.revision);
      if (removed > 0) this.#log.info({ removed }, "removed texts that no unit refers to");
    }
    await this.#pipeline.run(leadership, this.#stopping.signal);
    if (this.#mayAct(leadership)) await this.#noteLost(leadership);
    if (this.#mayAct(leadership)) await this.#sections.write(leadership);
    this.#waiting.say((unit) => this.#isOnItsWay(unit));
    this.#observer.onReconciled((performance.now() - startedAt) / 1000, true);
    return Math.min(pauseMs, graceMs ?? pauseMs);
  }

  #noteLost(leadership: Leadership): Promise<void> {
    return noteLost(this.#registry, this.#mirror.state, leadership, (id) => this.#grace.heldUntil(id));
  }

  #isOnItsWay(unit: string): boolean {
    return this.#pipeline.isMoving(unit) || this.#feed.model.units.get(unit)?.record.whereabouts.kind === "leaving";
  }

  #report(decision: Decision, decidedAt: number, writtenAt: number): void {
    const { name, from, to, reason } = decision;
    this.#observer.onTask(kindOf(decision), true);
    this.#log.info({ unit: name, from, to, reason, decidedAt, writtenAt }, to === null ? "unscheduled" : "scheduled");
  }

  async #campaign(): Promise<Leadership | null> {
    const { state } = this.#mirror;
    if (state.leader !== null || state.isUnreadable("leader")) return null;
    if (state.isUnreadable("engine-version")) {
      this.#standsBack.say(new Error("the version of the newest engine can't be read: this engine stands back"));
      return null;
    }
    if (state.engineVersion !== null && state.engineVersion.version > ENGINE_VERSION) {
      const why = `an engine of version ${state.engineVersion.version} has led this cluster: this one, of version ${ENGINE_VERSION}, stands back`;
      this.#standsBack.say(new Error(why));
      return null;
    }
    const ttlMs = Math.min(this.#config.agentTtlMs, MOST_LEADER_TTL_MS);
    const record = { machineID: this.#id, version: ENGINE_VERSION, startedAt: new Date().toISOString() };
    const leadership = await this.#elector.campaign(ttlMs, record, state.engineVersion);
    if (leadership === null) return null;
    // An engine that stood by has decided on nothing: all that it read is marked already. One that has led before took its
    // marks away by decisions that may not have been written.
    if (this.#hasLed) this.#feed.model.markAllDirty();
    this.#hasLed = true;
    this.#hasActed = false;
    this.#observer.onLeading(new Date());
    this.#log.info({ id: this.#id, lease: leadership.lease.id }, "this engine leads the cluster");
    return leadership;
  }

  async #stepDown(): Promise<void> {
    const wasLeading = this.isLeading();
    if (wasLeading) this.#observer.onLeading(null);
    await this.#elector.resign();
    if (wasLeading) this.#log.info("this engine has stepped down");
  }

  #ended(why: string): void {
    this.#observer.onLeading(null);
    this.#log.warn(`this engine no longer leads: ${why}`);
    this.#loop.trigger();
  }

  /** Whether a write that is sent now is over before the lease can end, by what etcd has last confirmed of it. */
  #mayAct(leadership: Leadership): boolean {
    const marginMs = Math.min(this.#config.etcd.requestTimeoutMs, leadership.lease.ttlMs / 4);
    return this.#elector.leadership === leadership && leadership.mayAct(marginMs);
  }

  #failed(error: unknown): void {
    this.#observer.onReconciled(0, false);
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof RegistryError)
      this.#log.warn({ code: error.code }, `reconciling failed and is tried again: ${message}`);
    else this.#log.error({ err: error }, `reconciling failed and is tried again: ${message}`);
  }
}

function kindOf({ to }: Decision): "AttemptScheduleUnit" | "UnscheduleUnit" {
  return to === null ? "UnscheduleUnit" : "AttemptScheduleUnit";
}

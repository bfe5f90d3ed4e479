import type {
  EventFilter,
  FleetEvent,
  JournalItem,
  JournalQuery,
  Move,
  Placement,
  Roll,
  RollOrder,
  RollRequest,
  StreamItem,
  UnitStatus,
  UnitVersion,
  UsageSample,
} from "@fleet/client";
import type { DesiredState, RunResult, UnitOption } from "@fleet/domain/unit";

export type { EventFilter, FleetEvent, Move, Placement, StreamItem, UnitVersion };

/** A unit as the cluster shows it. */
export interface UnitInfo {
  readonly name: string;
  readonly options: readonly UnitOption[];
  readonly desiredState: DesiredState;
  /** Null for global units, which have none of their own. */
  readonly currentState: DesiredState | null;
  readonly machineID: string | null;
  /** Its file as it was submitted; absent where that was not asked for, or is not kept. */
  readonly text?: string;
  /** It is a oneshot that has ended, and is only loaded where it has come to since. */
  readonly hasEnded: boolean;
}

/** What is to become of a unit; what is absent stays. */
export interface UnitChange {
  readonly options?: readonly UnitOption[];
  /** The file that the options were read from; absent: there is none, or it is not to be kept. */
  readonly text?: string;
  readonly desiredState?: DesiredState;
}

/** What one machine says of one unit. */
export interface StateInfo {
  readonly name: string;
  readonly hash: string;
  readonly machineID: string;
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** Why fleet could not do there what was wanted; null where it could, and from servers that don't tell. */
  readonly error: string | null;
  /** What the machine has done with the unit; null from servers that don't tell. */
  readonly current: DesiredState | null;
  /** How its last run ended; null where it did not fail, and from servers that don't tell. */
  readonly run: RunResult | null;
  /** True: the registry does not know the unit, as after a restore from a backup, and the machine leaves it as it is. */
  readonly unknown?: boolean;
}

/** A machine of the cluster. */
export interface MachineInfo {
  readonly id: string;
  readonly primaryIP: string;
  /** Null: it is not told. */
  readonly hostname: string | null;
  /** The version of fleet there; null: it is not told. */
  readonly version: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Null: it takes units. */
  readonly state: "cordoned" | "draining" | "lost" | null;
  /** Since when it is lost, ISO 8601; null: it is not, or that is not known. */
  readonly since: string | null;
}

/** Which of the events to follow, and from where. */
export interface EventRequest {
  readonly filter: EventFilter;
  /** The etcd revision after which to begin; null: now. */
  readonly after: number | null;
  /** False: what is kept of the past, then the end. */
  readonly follow: boolean;
}

/** Which machines are to tell what they and their units use, and how often. */
export interface UsageRequest {
  /** IDs; none: all. */
  readonly machines: readonly string[];
  readonly intervalMs: number;
  /** How many samples of each; 0: until it is ended. */
  readonly count: number;
}

/** What commands ask of a cluster, over HTTP or directly over the registry. Failures are CommandErrors. */
export interface ClusterClient {
  units(): Promise<readonly UnitInfo[]>;
  /** Null where there is no such unit. */
  unit(name: string, options?: { readonly withText: boolean }): Promise<UnitInfo | null>;
  /** Creates a unit, puts a new version of it in, or changes its desired state. */
  setUnit(name: string, change: UnitChange, message?: string | null): Promise<void>;
  /** False where there was no such unit. */
  destroyUnit(name: string, message?: string | null): Promise<boolean>;
  /** The versions that a unit has had, the newest first; null: it is unknown, or the server is too old to tell. */
  versions(name: string): Promise<readonly UnitVersion[] | null>;
  /** The text of a version of a unit; null: there is no such version, or it is not kept any more. */
  versionText(name: string, number: number): Promise<string | null>;
  /** States of all units, or of one. */
  states(name?: string): Promise<readonly StateInfo[]>;
  machines(): Promise<readonly MachineInfo[]>;
  /** Machines that were here and are not forgotten; none from servers that don't tell. */
  lostMachines(): Promise<readonly MachineInfo[]>;
  /** Forgets a lost machine, with its cordon. False where it is not known. */
  forgetMachine(machineID: string): Promise<boolean>;
  /** Has a machine get nothing new; with `drain` has its units moved away too. */
  cordon(machineID: string, drain: boolean): Promise<void>;
  uncordon(machineID: string): Promise<void>;
  /** Changes dynamic metadata; a value of null removes the key. */
  setMetadata(machineID: string, changes: ReadonlyMap<string, string | null>): Promise<void>;
  /** Has the engine even the cluster out, at most `limit` moves at a time; with `dryRun` only says how. */
  rebalance(request: { readonly dryRun: boolean; readonly limit: number }): Promise<readonly Move[]>;
  /** Moves that were asked for and are not done. */
  moves(): Promise<readonly Move[]>;
  /** Rolls in progress and the last that are over, the oldest first; null: the server is too old for rolls. */
  rolls(): Promise<readonly Roll[] | null>;
  /** Null: there is no such roll, or it is not kept any more. */
  roll(id: string): Promise<Roll | null>;
  /** Begins a roll; null: the server is too old for rolls. */
  createRoll(request: RollRequest): Promise<Roll | null>;
  orderRoll(id: string, order: RollOrder): Promise<void>;
  /** Why a unit is where it is; null: there is no such unit, or the server is too old to say. */
  placement(name: string): Promise<Placement | null>;
  /** Where a version of a unit could be if it was put in now; null: the server is too old to say. */
  explainVersion(name: string, options: readonly UnitOption[]): Promise<Placement | null>;
  /** Events of the cluster. Null: the server is too old to tell any. */
  events(request: EventRequest, signal: AbortSignal): Promise<AsyncIterable<StreamItem> | null>;
  /**
   * The journals of units on all machines, merged; what has come together, together. Null: nobody can ask the machines:
   * the server has no link, or is too old, or there is none.
   */
  journal(query: JournalQuery, signal: AbortSignal): Promise<AsyncIterable<readonly JournalItem[]> | null>;
  /** What systemd says of a unit on each of its machines, with so many lines of its journal; null: as for `journal`. */
  unitStatus(name: string, lines: number): Promise<readonly UnitStatus[] | null>;
  /** What machines use now; null: as for `journal`. */
  usage(machineIDs: readonly string[]): Promise<readonly UsageSample[] | null>;
  /** Samples of what machines and units use, as they come; null: as for `journal`. */
  watchUsage(request: UsageRequest, signal: AbortSignal): Promise<AsyncIterable<UsageSample> | null>;
  /** The newest version of fleet that was met on the way; null: none yet. */
  newestVersion(): string | null;
  close(): void;
}

import type { Metadata } from "@fleet/config";
import { BoundedCache } from "../cache/bounded-cache.ts";
import type { RunResult } from "../unit/run-result.ts";
import { type DesiredState, isDesiredState, type SystemdStates } from "../unit/states.ts";
import { NOWHERE, type Whereabouts } from "../whereabouts/whereabouts.ts";
import { type Json, object, part, string } from "./json-members.ts";
import { MOST_SECTION } from "./unit-section.ts";

/**
 * `units/<name>`: the one truth about a unit. Two members have older names in etcd, which every version reads:
 * `whereabouts` is machineID, lastMachineID, leaving, movingTo and wish there, and `preferred` is that wish.
 */
export interface UnitRecord {
  readonly hash: string;
  /**
   * The `[X-Fleet]` section of its file, empty where it has none: who decides where units run needs no more of it. Absent: it
   * is too long for that, or an older version has written the record; the file tells then.
   */
  readonly section?: string;
  /** SHA-1 of the text as its user wrote it, under `sources/`. Absent: that is the unit's file, or is not known. */
  readonly source?: string;
  /** Counts the texts that it has had; absent: that is not known, as an older version has written it. */
  readonly version?: number;
  readonly desiredState: DesiredState;
  readonly global: boolean;
  readonly whereabouts: Whereabouts;
  /** The `reason` of the engine's last decision on it; null: it has decided nothing since a client last changed the unit. */
  readonly cause: string | null;
  /**
   * It is a oneshot that has ended well, and has left the machine that it ran on: it is only loaded from then on, until a
   * client asks for something else. Absent: it has not.
   */
  readonly ended?: boolean;
}

/** `ended/<machineID>/<name>`: a oneshot that a machine was told to start has ended well there. It outlives the machine. */
export interface EndedRecord {
  /** Of the file that it was. */
  readonly hash: string;
}

/** `schedule/<machineID>/<name>` and `global/<name>`: what an agent is to do. */
export interface ScheduleRecord {
  readonly hash: string;
  readonly desiredState: DesiredState;
}

/** `states/<machineID>/<name>`: what an agent says of a unit. */
export interface StateRecord {
  readonly hash: string;
  readonly current: DesiredState;
  readonly systemd: SystemdStates;
  /** Why fleet could not do with the unit what was wanted; null where it could. */
  readonly error: string | null;
  /** How its last run ended; null or absent: nothing to tell, or nothing known, as from an older agent. */
  readonly run?: RunResult | null;
  /**
   * The registry has no record of the unit, and nobody has destroyed it, as after etcd was restored from a backup: it is left
   * as it is. Absent: it is known.
   */
  readonly unknown?: boolean;
}

/** `machines/<id>`: a machine, as its agent publishes it. */
export interface MachineRecord {
  readonly id: string;
  readonly primaryIP: string;
  /** As configured, without the dynamic metadata. */
  readonly metadata: Metadata;
  readonly version: string;
  readonly capabilities: readonly string[];
  /** Tells one run of a machine from a clone with the same ID. */
  readonly instanceID: string;
  /** Absent: an older agent does not tell. */
  readonly hostname?: string;
}

/** `known-machines/<id>`: a machine that has been here, whether it is now or not, until it is forgotten. */
export interface KnownMachineRecord {
  readonly primaryIP: string;
  /** Absent: an older agent does not tell. */
  readonly hostname?: string;
  /** Since when it is away, by the engine that has seen that, ISO 8601; null: it is here, or no engine has seen it go. */
  readonly lostSince: string | null;
  /**
   * Until when its units stay where they are, ISO 8601: it vanished right after etcd's own silence, and may be well. Absent:
   * they don't.
   */
  readonly heldUntil?: string;
}

/** `cordons/<machineID>`: a machine that gets nothing new. */
export interface CordonRecord {
  /** Units are moved away, too. */
  readonly drain: boolean;
  /** ISO 8601. */
  readonly since: string;
}

/** `moves/<name>`: a move that somebody has asked for. The engine removes it when that is done, or can't be. */
export interface MoveRecord {
  /** The machine that it is to go to, if it fits. */
  readonly to: string;
  /** How many of the moves that were asked for together may be on their way at a time. */
  readonly limit: number;
  readonly reason: string;
}

/** `engine/leader`: who leads. */
export interface LeaderRecord {
  readonly machineID: string;
  readonly version: number;
  readonly startedAt: string;
}

const sharedTexts = new BoundedCache<string, string>(1_000);

/** One copy in memory of a text that many records have. */
function shared<T extends string | null>(text: T): T | string {
  return text === null ? text : sharedTexts.getOrMake(text, () => text);
}

/** Whether a member that decisions are made on is left out, or of the type that this version knows. */
const isKnown = (value: unknown, type: "string" | "boolean"): boolean => value == null || typeof value === type;

/** Whether a member that names a machine is left out, or may be one. */
const isMachineID = (value: unknown): boolean => value == null || part(value) !== null;

/** A host name as systems have them; absent: it is none. */
const hostnameOf = (value: unknown): { readonly hostname?: string } =>
  typeof value === "string" && /^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/.test(value) ? { hostname: value } : {};

/** A member that is left out is no metadata; null: it is something that this version does not know. */
function strings(value: unknown): Metadata | null {
  if (value == null) return {};
  if (typeof value !== "object" || Array.isArray(value)) return null;
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return entries.length === Object.keys(value).length ? Object.fromEntries(entries) : null;
}

/** Where a unit is, as the members of its record in etcd: their names and order are those of every version. */
interface WhereaboutsMembers {
  readonly machineID?: string | undefined;
  readonly lastMachineID?: string | undefined;
  readonly leaving?: string | undefined;
  readonly wish?: string | undefined;
  readonly movingTo?: string | undefined;
}

function membersOf(whereabouts: Whereabouts): WhereaboutsMembers {
  switch (whereabouts.kind) {
    case "placed":
      return { machineID: whereabouts.on };
    case "moving":
      return { machineID: whereabouts.on, movingTo: whereabouts.to };
    case "nowhere":
      return { lastMachineID: whereabouts.last ?? undefined, wish: whereabouts.preferred ?? undefined };
    case "leaving":
      return {
        lastMachineID: whereabouts.last ?? undefined,
        leaving: whereabouts.from,
        wish: whereabouts.preferred ?? undefined,
      };
  }
}

function whereaboutsOf(value: Json): Whereabouts {
  const on = string(value.machineID);
  const to = string(value.movingTo);
  if (on !== null) return to === null || to === on ? { kind: "placed", on } : { kind: "moving", on, to };
  const [last, preferred, from] = [string(value.lastMachineID), string(value.wish), string(value.leaving)];
  if (from !== null) return { kind: "leaving", from, last, preferred };
  return last === null && preferred === null ? NOWHERE : { kind: "nowhere", last, preferred };
}

/** Members that are null, false or empty are left out, so that values stay short and old records read alike. */
export function encodeUnit(record: UnitRecord): string {
  const { hash, section, source, version, desiredState, global, whereabouts, cause, ended } = record;
  const { machineID, lastMachineID, leaving, wish, movingTo } = membersOf(whereabouts);
  return JSON.stringify({
    hash,
    source,
    desiredState,
    machineID,
    global: global || undefined,
    lastMachineID,
    leaving,
    wish,
    movingTo,
    cause: cause ?? undefined,
    ended: ended || undefined,
    version,
    section: section !== undefined && section.length <= MOST_SECTION ? section : undefined,
  });
}

/**
 * Every decoder returns null for a value it does not understand, also where only a member that decisions are made on has
 * another type or another word than it knows. Such a value is unreadable, not nothing: it is reported, never acted on, and
 * what it may refer to is left alone.
 */
export function decodeUnit(text: string): UnitRecord | null {
  const value = object(text);
  const hash = part(value?.hash);
  if (value === null || hash === null || !isDesiredState(value.desiredState)) return null;
  const { machineID, lastMachineID, leaving, wish, movingTo } = value;
  const members = [machineID, lastMachineID, leaving, wish, movingTo];
  if (!isKnown(value.global, "boolean") || !isKnown(value.ended, "boolean") || !members.every(isMachineID)) return null;
  // Another kind of reference would have the sweep take what it refers to.
  const source = part(value.source);
  if (value.source != null && source === null) return null;
  return {
    hash,
    ...(typeof value.section === "string" ? { section: shared(value.section) } : {}),
    ...(source === null ? {} : { source }),
    ...(typeof value.version === "number" ? { version: value.version } : {}),
    desiredState: value.desiredState,
    global: value.global === true,
    whereabouts: whereaboutsOf(value),
    cause: shared(string(value.cause)),
    ...(value.ended === true ? { ended: true } : {}),
  };
}

export function encodeEnded({ hash }: EndedRecord): string {
  return JSON.stringify({ hash });
}

export function decodeEnded(text: string): EndedRecord | null {
  const hash = part(object(text)?.hash);
  return hash === null ? null : { hash };
}

export function encodeSchedule({ hash, desiredState }: ScheduleRecord): string {
  return JSON.stringify({ hash, desiredState });
}

export function decodeSchedule(text: string): ScheduleRecord | null {
  const value = object(text);
  const hash = part(value?.hash);
  return value === null || hash === null || !isDesiredState(value.desiredState)
    ? null
    : { hash, desiredState: value.desiredState };
}

export function encodeState({ hash, current, systemd, error, run, unknown }: StateRecord): string {
  const members = { error: error ?? undefined, ...runMembers(run ?? null), unknown: unknown || undefined };
  return JSON.stringify({ hash, current, ...systemd, ...members });
}

/** Members that say nothing are left out: most records stay as short as before. */
function runMembers(run: RunResult | null): object {
  if (run === null) return {};
  const { result, exitStatus, exitSignal, restarts } = run;
  return {
    result: result === "success" ? undefined : result,
    exitStatus: exitStatus ?? undefined,
    exitSignal: exitSignal ?? undefined,
    restarts: restarts === 0 ? undefined : restarts,
  };
}

function runOf({ result, exitStatus, exitSignal, restarts }: Json): RunResult | null {
  const count = typeof restarts === "number" ? restarts : 0;
  if (typeof result !== "string" && count === 0) return null;
  return {
    result: string(result) ?? "success",
    exitStatus: typeof exitStatus === "number" ? exitStatus : null,
    exitSignal: string(exitSignal),
    restarts: count,
  };
}

export function decodeState(text: string): StateRecord | null {
  const value = object(text);
  const hash = part(value?.hash);
  const [load, active, sub] = [string(value?.load), string(value?.active), string(value?.sub)];
  if (value === null || hash === null || load === null || active === null || sub === null) return null;
  if (!isDesiredState(value.current)) return null;
  return {
    hash,
    current: value.current,
    systemd: { load, active, sub },
    error: string(value.error),
    run: runOf(value),
    ...(value.unknown === true ? { unknown: true } : {}),
  };
}

export function encodeMachine(record: MachineRecord): string {
  return JSON.stringify(record);
}

export function decodeMachine(text: string): MachineRecord | null {
  const value = object(text);
  const id = part(value?.id);
  const metadata = strings(value?.metadata);
  if (value === null || id === null || metadata === null) return null;
  const capabilities = Array.isArray(value.capabilities) ? value.capabilities : [];
  return {
    id,
    primaryIP: string(value.primaryIP) ?? "",
    metadata,
    version: string(value.version) ?? "",
    capabilities: capabilities.filter((entry): entry is string => typeof entry === "string"),
    instanceID: string(value.instanceID) ?? "",
    ...hostnameOf(value.hostname),
  };
}

export function encodeKnownMachine({ primaryIP, hostname, lostSince, heldUntil }: KnownMachineRecord): string {
  return JSON.stringify({ primaryIP, hostname, lostSince: lostSince ?? undefined, heldUntil });
}

export function decodeKnownMachine(text: string): KnownMachineRecord | null {
  const value = object(text);
  if (value === null) return null;
  const hostname = string(value.hostname);
  const heldUntil = string(value.heldUntil);
  return {
    primaryIP: string(value.primaryIP) ?? "",
    ...(hostname === null || hostname === "" ? {} : { hostname }),
    lostSince: string(value.lostSince),
    ...(heldUntil === null ? {} : { heldUntil }),
  };
}

export function encodeCordon({ drain, since }: CordonRecord): string {
  return JSON.stringify({ drain, since });
}

export function decodeCordon(text: string): CordonRecord | null {
  const value = object(text);
  return value === null || !isKnown(value.drain, "boolean")
    ? null
    : { drain: value.drain === true, since: string(value.since) ?? "" };
}

export function encodeMove({ to, limit, reason }: MoveRecord): string {
  return JSON.stringify({ to, limit, reason });
}

export function decodeMove(text: string): MoveRecord | null {
  const value = object(text);
  const to = part(value?.to);
  if (value === null || to === null) return null;
  const limit = typeof value.limit === "number" && value.limit >= 1 ? Math.floor(value.limit) : 1;
  return { to, limit, reason: string(value.reason) ?? "it was asked for" };
}

export function encodeLeader(record: LeaderRecord): string {
  return JSON.stringify(record);
}

export function decodeLeader(text: string): LeaderRecord | null {
  const value = object(text);
  const machineID = part(value?.machineID);
  if (value === null || machineID === null || typeof value.version !== "number") return null;
  return { machineID, version: value.version, startedAt: string(value.startedAt) ?? "" };
}

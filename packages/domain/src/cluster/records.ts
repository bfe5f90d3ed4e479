import type { Metadata } from "@fleet/config";
import { type DesiredState, isDesiredState, type SystemdStates } from "../unit/states.ts";

/** `units/<name>`: the one truth about a unit. */
export interface UnitRecord {
  readonly hash: string;
  readonly desiredState: DesiredState;
  /** Where it is scheduled; null: nowhere. */
  readonly machineID: string | null;
  readonly global: boolean;
  /** Where it ran before it was freed, by a new version or to be moved: the first choice unless there is a `wish`. */
  readonly lastMachineID: string | null;
  /** The machine that it is being taken off, and must have left before it is placed anew; null: it may be placed. */
  readonly leaving: string | null;
  /** The machine that it was freed for: the first choice; null: none. */
  readonly wish: string | null;
  /** Where it is being started before it leaves `machineID`; null: nowhere. Its schedule has an entry there too. */
  readonly movingTo: string | null;
  /** Why the engine last gave it a machine or took it off one; null: it has not, since a client last changed the unit. */
  readonly cause: string | null;
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
}

/** `cordons/<machineID>`: a machine that gets nothing new. */
export interface CordonRecord {
  /** Units are moved away, too. */
  readonly drain: boolean;
  /** ISO 8601. */
  readonly since: string;
}

/** `moves/<name>`: a unit that somebody has asked to be moved. The engine removes it when that is done, or can't be. */
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

type Json = Readonly<Record<string, unknown>>;

function object(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

const MOST_SHARED = 1000;
const sharedTexts = new Map<string, string>();

/** One copy in memory of a text that many records have. */
function shared(text: string | null): string | null {
  if (text === null) return null;
  const known = sharedTexts.get(text);
  if (known !== undefined) return known;
  if (sharedTexts.size >= MOST_SHARED) sharedTexts.clear();
  sharedTexts.set(text, text);
  return text;
}

const string = (value: unknown): string | null => (typeof value === "string" ? value : null);

function strings(value: unknown): Metadata {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(entries);
}

/** Members that are null, false or empty are left out, so that values stay short and old records read alike. */
export function encodeUnit({
  hash,
  desiredState,
  machineID,
  global,
  lastMachineID,
  leaving,
  wish,
  movingTo,
  cause,
}: UnitRecord): string {
  return JSON.stringify({
    hash,
    desiredState,
    machineID: machineID ?? undefined,
    global: global || undefined,
    lastMachineID: lastMachineID ?? undefined,
    leaving: leaving ?? undefined,
    wish: wish ?? undefined,
    movingTo: movingTo ?? undefined,
    cause: cause ?? undefined,
  });
}

/** Every decoder returns null for a value it does not understand: it is reported, and never acted on. */
export function decodeUnit(text: string): UnitRecord | null {
  const value = object(text);
  const hash = string(value?.hash);
  if (value === null || hash === null || !isDesiredState(value.desiredState)) return null;
  return {
    hash,
    desiredState: value.desiredState,
    machineID: string(value.machineID),
    global: value.global === true,
    lastMachineID: string(value.lastMachineID),
    leaving: string(value.leaving),
    wish: string(value.wish),
    movingTo: string(value.movingTo),
    cause: shared(string(value.cause)),
  };
}

export function encodeSchedule({ hash, desiredState }: ScheduleRecord): string {
  return JSON.stringify({ hash, desiredState });
}

export function decodeSchedule(text: string): ScheduleRecord | null {
  const value = object(text);
  const hash = string(value?.hash);
  return value === null || hash === null || !isDesiredState(value.desiredState)
    ? null
    : { hash, desiredState: value.desiredState };
}

export function encodeState({ hash, current, systemd, error }: StateRecord): string {
  return JSON.stringify({ hash, current, ...systemd, error: error ?? undefined });
}

export function decodeState(text: string): StateRecord | null {
  const value = object(text);
  const hash = string(value?.hash);
  const [load, active, sub] = [string(value?.load), string(value?.active), string(value?.sub)];
  if (value === null || hash === null || load === null || active === null || sub === null) return null;
  if (!isDesiredState(value.current)) return null;
  return { hash, current: value.current, systemd: { load, active, sub }, error: string(value.error) };
}

export function encodeMachine(record: MachineRecord): string {
  return JSON.stringify(record);
}

export function decodeMachine(text: string): MachineRecord | null {
  const value = object(text);
  const id = string(value?.id);
  if (value === null || id === null) return null;
  const capabilities = Array.isArray(value.capabilities) ? value.capabilities : [];
  return {
    id,
    primaryIP: string(value.primaryIP) ?? "",
    metadata: strings(value.metadata),
    version: string(value.version) ?? "",
    capabilities: capabilities.filter((entry): entry is string => typeof entry === "string"),
    instanceID: string(value.instanceID) ?? "",
  };
}

export function encodeCordon({ drain, since }: CordonRecord): string {
  return JSON.stringify({ drain, since });
}

export function decodeCordon(text: string): CordonRecord | null {
  const value = object(text);
  return value === null ? null : { drain: value.drain === true, since: string(value.since) ?? "" };
}

export function encodeMove({ to, limit, reason }: MoveRecord): string {
  return JSON.stringify({ to, limit, reason });
}

export function decodeMove(text: string): MoveRecord | null {
  const value = object(text);
  const to = string(value?.to);
  if (value === null || to === null) return null;
  const limit = typeof value.limit === "number" && value.limit >= 1 ? Math.floor(value.limit) : 1;
  return { to, limit, reason: string(value.reason) ?? "it was asked for" };
}

export function encodeLeader(record: LeaderRecord): string {
  return JSON.stringify(record);
}

export function decodeLeader(text: string): LeaderRecord | null {
  const value = object(text);
  const machineID = string(value?.machineID);
  if (value === null || machineID === null || typeof value.version !== "number") return null;
  return { machineID, version: value.version, startedAt: string(value.startedAt) ?? "" };
}

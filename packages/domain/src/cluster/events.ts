import { globMatches } from "../unit/glob.ts";
import { failureText } from "../unit/run-result.ts";
import { conditionOf } from "../unit/states.ts";
import { lastOf, scheduledTo } from "../whereabouts/whereabouts.ts";
import { matchesMachineID } from "./machine.ts";
import type { StateRecord } from "./records.ts";
import type { Change } from "./state.ts";

/** The kinds of events; docs/api.md says what each means. */
export type ClusterEventKind =
  | "submitted"
  | "scheduled"
  | "moved"
  | "unscheduled"
  | "loaded"
  | "started"
  | "active"
  | "failed"
  | "stopped"
  | "unloaded"
  | "destroyed"
  | "machine-joined"
  | "machine-left"
  | "machine-held"
  | "machine-metadata-changed"
  | "leader-changed";

/** Something that happened in the cluster. */
export interface ClusterEvent {
  readonly kind: ClusterEventKind;
  /** The etcd revision of the change. */
  readonly revision: number;
  /** Why, in a few words. */
  readonly cause: string;
  readonly unit?: string;
  readonly machineID?: string;
  /** Where the unit was, or which engine led, before. */
  readonly previousMachineID?: string;
}

/** Which events to hear of: of each list one entry must match; an empty list lets all through. */
export interface ClusterEventFilter {
  /** Globs over unit names. */
  readonly units: readonly string[];
  /** Machine IDs, full or short. */
  readonly machines: readonly string[];
  readonly kinds: readonly ClusterEventKind[];
}

/** Whether an event passes a filter. */
export function passesFilter(
  { units, machines, kinds }: ClusterEventFilter,
  event: Omit<ClusterEvent, "revision" | "cause">,
): boolean {
  const { kind, unit, machineID, previousMachineID } = event;
  if (kinds.length > 0 && !kinds.includes(kind)) return false;
  if (units.length > 0 && (unit === undefined || !units.some((glob) => glob === unit || globMatches(glob, unit))))
    return false;
  const ids = [machineID, previousMachineID].filter((id) => id !== undefined);
  return machines.length === 0 || ids.some((id) => machines.some((asked) => matchesMachineID(asked, id)));
}

type Of<K extends Change["kind"]> = Extract<Change, { kind: K }>;

/** What a change of the registry means to those who follow events; the same change always means the same. */
export function eventsOf(change: Change): readonly ClusterEvent[] {
  switch (change.kind) {
    case "unit":
      return unitEvents(change);
    case "state":
      return stateEvents(change);
    case "machine":
      return machineEvents(change);
    case "known-machine":
      return heldEvents(change);
    case "machine-metadata":
      return metadataEvents(change);
    case "leader":
      return leaderEvents(change);
    default:
      return [];
  }
}

function unitEvents({ name: unit, before, after, revision }: Of<"unit">): readonly ClusterEvent[] {
  if (after === null) {
    const from = before === null ? null : scheduledTo(before.whereabouts);
    return [{ kind: "destroyed", revision, cause: "a client removed it", unit, ...(from === null ? {} : was(from)) }];
  }
  const events: ClusterEvent[] = [];
  if (before === null) events.push({ kind: "submitted", revision, cause: "a client created it", unit });
  else if (before.hash !== after.hash)
    events.push({ kind: "submitted", revision, cause: "a client submitted a new version", unit });
  const previous = before === null ? null : scheduledTo(before.whereabouts);
  const machineID = scheduledTo(after.whereabouts);
  if (previous === machineID) return events;
  if (machineID === null) {
    const cause =
      after.cause ??
      (after.desiredState === "inactive" ? "its desired state is inactive" : "its new version is scheduled again");
    events.push({ kind: "unscheduled", revision, cause, unit, ...(previous === null ? {} : was(previous)) });
    return events;
  }
  const cause = after.cause ?? "the engine placed it";
  // A new version is placed anew: the machine before it is noted meanwhile.
  const from = previous ?? (before === null ? null : lastOf(before.whereabouts));
  if (from === null || from === machineID) events.push({ kind: "scheduled", revision, cause, unit, machineID });
  else events.push({ kind: "moved", revision, cause, unit, machineID, ...was(from) });
  return events;
}

function stateEvents({ name: unit, machineID, before, after, revision }: Of<"state">): readonly ClusterEvent[] {
  const about = { revision, unit, machineID };
  if (after === null) {
    const gone: ClusterEvent = { kind: "unloaded", cause: "the machine no longer reports it", ...about };
    return before !== null && isRunning(before) ? [{ ...gone, kind: "stopped" }, gone] : [gone];
  }
  const kinds = [...arrivals(before, after), ...activations(before, after)];
  const failure = failureOf(before, after, kinds.length > 0);
  const all = failure === null ? kinds : [...kinds, failure];
  const stopped = hasStopped(before, after) ? [{ kind: "stopped" as const, cause: saidBy(after) }] : [];
  return [...all, ...stopped].map(({ kind, cause }) => ({ kind, cause, ...about }));
}

type KindAndCause = Pick<ClusterEvent, "kind" | "cause">;

const saidBy = ({ systemd: { active, sub } }: StateRecord): string => `systemd says ${active} (${sub})`;

/** Why it fails, without the word that the kind of the event says; an older agent tells the states only. */
function failureOfRun(after: StateRecord): string {
  const text = after.run == null ? "" : (failureText(after.systemd, after.run) ?? "");
  return text.replace(/^failed(: |, )?/, "") || saidBy(after);
}

/** A machine has a version of the unit that it did not have, or was told to start it. */
function arrivals(before: StateRecord | null, after: StateRecord): readonly KindAndCause[] {
  const isNewFile = before === null || before.hash !== after.hash || before.current === "inactive";
  const events: KindAndCause[] = [];
  if (isNewFile && after.current !== "inactive")
    events.push({ kind: "loaded", cause: before === null ? "it is scheduled there" : "its file is new" });
  if (after.current === "launched" && (isNewFile || before.current !== "launched"))
    events.push({ kind: "started", cause: "its desired state is launched" });
  return events;
}

function activations(before: StateRecord | null, after: StateRecord): readonly KindAndCause[] {
  const isNew = isActive(after) && (before === null || !isActive(before));
  return isNew ? [{ kind: "active", cause: saidBy(after) }] : [];
}

/** @param isNews whether the same change says anything else: a failure that stands is then told again */
function failureOf(before: StateRecord | null, after: StateRecord, isNews: boolean): KindAndCause | null {
  if (after.error !== null && after.error !== before?.error) return { kind: "failed", cause: after.error };
  const isFailed = after.systemd.active === "failed";
  if (isFailed && (before?.systemd.active !== "failed" || isNews))
    return { kind: "failed", cause: failureOfRun(after) };
  if (isRetrying(after) && (before === null || !isRetrying(before)))
    return { kind: "failed", cause: failureOfRun(after) };
  return null;
}

function hasStopped(before: StateRecord | null, after: StateRecord): boolean {
  if (before === null || isRunning(after)) return false;
  // What had failed, or had run and ended, is stopped when fleet takes its orders to start back.
  const isTakenBack = before.current === "launched" && after.current === "loaded";
  return isTakenBack || (isRunning(before) && after.systemd.active !== "failed");
}

function machineEvents({ id: machineID, before, after, revision }: Of<"machine">): readonly ClusterEvent[] {
  if (after === null)
    return [{ kind: "machine-left", revision, cause: "its agent ended, or its lease ran out", machineID }];
  if (before === null) return [{ kind: "machine-joined", revision, cause: "its agent started", machineID }];
  if (JSON.stringify(before.metadata) === JSON.stringify(after.metadata)) return [];
  return [{ kind: "machine-metadata-changed", revision, cause: "its configuration was reloaded", machineID }];
}

/** A machine's units stay where they are though it is lost. */
function heldEvents({ id: machineID, before, after, revision }: Of<"known-machine">): readonly ClusterEvent[] {
  const until = after?.heldUntil;
  if (until === undefined || until === before?.heldUntil) return [];
  const cause = `it disappeared while etcd was unreachable, and may still be running: its units stay there until ${until}`;
  return [{ kind: "machine-held", revision, cause, machineID }];
}

function metadataEvents({ machineID, key, after, revision }: Of<"machine-metadata">): readonly ClusterEvent[] {
  const cause = after === null || after.value === "" ? `a client removed ${key}` : `a client set ${key}=${after.value}`;
  return [{ kind: "machine-metadata-changed", revision, cause, machineID }];
}

function leaderEvents({ before, after, revision }: Of<"leader">): readonly ClusterEvent[] {
  if (before?.machineID === after?.machineID) return [];
  const cause = after === null ? "the leader stepped down, or its lease ran out" : "it was elected";
  return [
    {
      kind: "leader-changed",
      revision,
      cause,
      ...(after === null ? {} : { machineID: after.machineID }),
      ...(before === null ? {} : was(before.machineID)),
    },
  ];
}

const was = (previousMachineID: string): { readonly previousMachineID: string } => ({ previousMachineID });

function isActive({ systemd }: StateRecord): boolean {
  return conditionOf(systemd) === "up";
}

function isRetrying({ systemd }: StateRecord): boolean {
  return conditionOf(systemd) === "retrying";
}

/** Whether anything of the unit may run. */
function isRunning({ systemd }: StateRecord): boolean {
  const condition = conditionOf(systemd);
  return condition === "up" || condition === "changing" || condition === "retrying";
}

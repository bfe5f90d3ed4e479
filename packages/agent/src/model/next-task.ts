/** What the registry wants of a unit on this machine. */
export interface WantedUnit {
  readonly name: string;
  readonly hash: string;
  readonly desiredState: "loaded" | "launched";
  /** Whether it is stopped on a machine that can't renew its lease (`OnPartition=stop`). */
  readonly stopsOnPartition: boolean;
}

/** A unit that is on this machine. */
export interface PresentUnit {
  readonly name: string;
  /** Of the file on disk. */
  readonly hash: string;
  /** Whether systemd has been told to start it, and not to stop it since. */
  readonly isLaunched: boolean;
  /** Whether it is known to be at rest: stopped by this agent, and not started since. */
  readonly isStopped: boolean;
  /** Whether its file may not be linked as it should: it is loaded anew. */
  readonly isUnfinished: boolean;
}

/** Why a task is to be done. */
export const TASK_REASONS = {
  notWanted: "the unit is not scheduled to this machine",
  newVersion: "the unit has another version",
  unfinished: "the unit was not loaded whole",
  notLoaded: "the unit is scheduled to this machine",
  wantedLaunched: "the unit's desired state is launched",
  wantedLoaded: "the unit's desired state is loaded",
} as const;

/** A reason of TASK_REASONS. */
export type TaskReason = (typeof TASK_REASONS)[keyof typeof TASK_REASONS];

/** The next thing to do with a unit. */
export type Task =
  | { readonly kind: "stop"; readonly name: string; readonly reason: TaskReason }
  | { readonly kind: "unload"; readonly name: string; readonly reason: TaskReason }
  | { readonly kind: "load"; readonly name: string; readonly hash: string; readonly reason: TaskReason }
  | { readonly kind: "start"; readonly name: string; readonly reason: TaskReason };

/**
 * The next step that leads one unit from what is to what is wanted; null where nothing is left to do. A unit is stopped
 * before it is unloaded, and an old version is gone before the new one comes.
 */
export function nextTask(wanted: WantedUnit | null, present: PresentUnit | null): Task | null {
  if (present === null) {
    if (wanted === null) return null;
    return { kind: "load", name: wanted.name, hash: wanted.hash, reason: TASK_REASONS.notLoaded };
  }
  const { name } = present;
  if (wanted === null || wanted.hash !== present.hash || present.isUnfinished) {
    const newFile = wanted?.hash === present.hash ? TASK_REASONS.unfinished : TASK_REASONS.newVersion;
    const reason = wanted === null ? TASK_REASONS.notWanted : newFile;
    return { kind: present.isStopped ? "unload" : "stop", name, reason };
  }
  if (wanted.desiredState === "launched" && !present.isLaunched) {
    return { kind: "start", name, reason: TASK_REASONS.wantedLaunched };
  }
  if (wanted.desiredState === "loaded" && present.isLaunched) {
    return { kind: "stop", name, reason: TASK_REASONS.wantedLoaded };
  }
  return null;
}

const RANK: Readonly<Record<Task["kind"], number>> = { stop: 0, unload: 1, load: 2, start: 3 };

/**
 * The next tasks of all units, in the order in which their kinds are carried out, then by name.
 *
 * @param hold names of units to leave alone: busy, waiting for another try, or not understood
 */
export function nextTasks(
  wanted: ReadonlyMap<string, WantedUnit>,
  present: ReadonlyMap<string, PresentUnit>,
  hold: (name: string) => boolean,
): readonly Task[] {
  const names = new Set([...wanted.keys(), ...present.keys()]);
  const tasks: Task[] = [];
  for (const name of names) {
    if (hold(name)) continue;
    const task = nextTask(wanted.get(name) ?? null, present.get(name) ?? null);
    if (task !== null) tasks.push(task);
  }
  return tasks.sort((a, b) => RANK[a.kind] - RANK[b.kind] || (a.name < b.name ? -1 : 1));
}

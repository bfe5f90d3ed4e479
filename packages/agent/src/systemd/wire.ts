// D-Bus names, paths and signatures of systemd: nothing else in the code spells one. See org.freedesktop.systemd1(5).

/** Bus name of systemd. */
export const SYSTEMD = "org.freedesktop.systemd1";
/** Object path of its manager. */
export const MANAGER_PATH = "/org/freedesktop/systemd1";
/** Interface of the manager. */
export const MANAGER = "org.freedesktop.systemd1.Manager";
/** Interface that units of every type have. */
export const UNIT = "org.freedesktop.systemd1.Unit";
/** Interface of properties. */
export const PROPERTIES = "org.freedesktop.DBus.Properties";
/** Bus name and interface of the bus itself. */
export const BUS = "org.freedesktop.DBus";
/** Object path of the bus itself. */
export const BUS_PATH = "/org/freedesktop/DBus";
const UNIT_PATH_PREFIX = "/org/freedesktop/systemd1/unit/";

/** The signature of PropertiesChanged. Its body is never needed: that a unit changed is all it has to say. */
export const PROPERTIES_CHANGED_SIGNATURE = "sa{sv}as";

/** The bus's method that asks for signals, by a match rule. */
export const ADD_MATCH = { member: "AddMatch", signature: "s" } as const;
/** The method that reads a property: interface and name in, a variant out. */
export const GET_PROPERTY = { member: "Get", signature: "ss" } as const;
/** The method that reads all properties of an interface: its name in, a dictionary of variants out. */
export const GET_ALL_PROPERTIES = { member: "GetAll", signature: "s" } as const;
/** The manager's property that holds systemd's version. */
export const VERSION_PROPERTY = "Version";
/** A unit's property that says whether its file is newer than what systemd holds. */
export const NEED_RELOAD_PROPERTY = "NeedDaemonReload";
/** A unit's property that holds the path of its file. */
export const FRAGMENT_PATH_PROPERTY = "FragmentPath";
/** A unit's property that says what came of reading its file. */
export const LOAD_STATE_PROPERTY = "LoadState";
/** A unit's property that says whether it was made by StartTransientUnit. */
export const TRANSIENT_PROPERTY = "Transient";
/** A unit's property that says whether it is one of systemd's own that can't be stopped. */
export const PERPETUAL_PROPERTY = "Perpetual";
/** Interface of services. */
export const SERVICE = `${SYSTEMD}.Service`;
/** A service's property that holds its commands: path, arguments, and how they ran. */
export const EXEC_START_PROPERTY = "ExecStart";
/** A unit's properties that hold the names of units which systemd stops along with it. */
export const STOPPED_ALONG_PROPERTIES = ["RequiredBy", "BoundBy", "ConsistsOf"] as const;
/** Properties of units that have run: how that ended. Those but the first are only services'. */
export const RUN_PROPERTIES = {
  result: "Result",
  exitCode: "ExecMainCode",
  exitStatus: "ExecMainStatus",
  restarts: "NRestarts",
} as const;
const INTERFACES: Readonly<Record<string, string>> = {
  service: SERVICE,
  socket: `${SYSTEMD}.Socket`,
  mount: `${SYSTEMD}.Mount`,
  automount: `${SYSTEMD}.Automount`,
  swap: `${SYSTEMD}.Swap`,
  timer: `${SYSTEMD}.Timer`,
  path: `${SYSTEMD}.Path`,
  slice: `${SYSTEMD}.Slice`,
};
/** Types that have no result. */
const WITHOUT_RESULT: ReadonlySet<string> = new Set(["slice"]);
/** The manager's signal that a job has ended: number, path, unit, result. */
export const JOB_REMOVED = "JobRemoved";
/** The manager's signal that it is about to read all files anew (true), or has done so (false). */
export const RELOADING = "Reloading";
/** The signal that properties have changed. */
export const PROPERTIES_CHANGED = "PropertiesChanged";
/** Error for a unit that systemd does not know. */
export const NO_SUCH_UNIT = `${SYSTEMD}.NoSuchUnit`;
/** Error for a transient unit whose name is taken. */
export const UNIT_EXISTS = `${SYSTEMD}.UnitExists`;
/** Types of the properties that a transient service is made with. */
export const SERVICE_PROPERTIES = {
  Description: "s",
  Type: "s",
  ExecStart: "a(sasb)",
  Restart: "s",
  StartLimitIntervalUSec: "t",
  CollectMode: "s",
} as const;
/** Types of the properties that a transient timer is made with. */
export const KEEPER_PROPERTIES = {
  Description: "s",
  TimersMonotonic: "a(st)",
  AccuracyUSec: "t",
  CollectMode: "s",
} as const;
/** Errors for what is not there. */
export const MISSING_ERRORS: ReadonlySet<string> = new Set([NO_SUCH_UNIT, "org.freedesktop.DBus.Error.FileNotFound"]);
/** Errors for a name that another file has. */
export const FILE_EXISTS_ERRORS: ReadonlySet<string> = new Set([
  "org.freedesktop.DBus.Error.FileExists",
  "System.Error.EEXIST",
]);
/** Error for a unit that may be started and stopped as a dependency only. */
export const ONLY_BY_DEPENDENCY = `${SYSTEMD}.OnlyByDependency`;
/** The bus's errors for a call that nobody has answered, as while systemd is executed anew: it may have been carried out. */
export const NO_ANSWER_ERRORS: ReadonlySet<string> = new Set(
  ["NoReply", "Disconnected", "Timeout", "TimedOut"].map((error) => `org.freedesktop.DBus.Error.${error}`),
);

/** The bus's method that takes a match rule back. */
export const REMOVE_MATCH = { member: "RemoveMatch", signature: "s" } as const;

/** Match rule for the ends of jobs. */
export const JOBS_RULE = `type='signal',sender='${SYSTEMD}',path='${MANAGER_PATH}',interface='${MANAGER}',member='${JOB_REMOVED}'`;
/** The bus's signal that a name has another owner: the name, the one before, and the new one. */
export const NAME_OWNER_CHANGED = "NameOwnerChanged";
/** Match rule for systemd's leaving the bus, and coming back. */
export const OWNER_RULE = `type='signal',sender='${BUS}',interface='${BUS}',member='${NAME_OWNER_CHANGED}',arg0='${SYSTEMD}'`;
/** Match rule for reloads. */
export const RELOADS_RULE = `type='signal',sender='${SYSTEMD}',path='${MANAGER_PATH}',interface='${MANAGER}',member='${RELOADING}'`;
/** Match rule for changes of any unit. */
export const CHANGES_RULE = `type='signal',sender='${SYSTEMD}',path_namespace='${UNIT_PATH_PREFIX.slice(0, -1)}',interface='${PROPERTIES}',member='${PROPERTIES_CHANGED}',arg0='${UNIT}'`;

/** Signatures of the methods of the manager that are called. */
export const SIGNATURES = {
  Subscribe: "",
  Unsubscribe: "",
  Reload: "",
  LinkUnitFiles: "asbb",
  EnableUnitFiles: "asbb",
  DisableUnitFiles: "asb",
  StartUnit: "ss",
  StopUnit: "ss",
  KillUnit: "ssi",
  ResetFailedUnit: "s",
  AddDependencyUnitFiles: "asssbb",
  ListUnitFiles: "",
  ListUnitFilesByPatterns: "asas",
  GetUnitProcesses: "s",
  ListUnits: "",
  ListUnitsByNames: "as",
  ListUnitsByPatterns: "asas",
  StartTransientUnit: "ssa(sv)a(sa(sv))",
} as const;

/** One row of ListUnits and its relatives: name, description, load, active, sub, followed, path, and its job: ID, 0 for none, type, path. */
export type UnitRow = readonly [string, string, string, string, string, string, string, number, string, string];

/** Properties of units that have processes: what those use. */
export const USAGE_PROPERTIES = {
  cpuNs: "CPUUsageNSec",
  memoryBytes: "MemoryCurrent",
  tasks: "TasksCurrent",
  ioReadBytes: "IOReadBytes",
  ioWriteBytes: "IOWriteBytes",
} as const;
/** Properties of units of any type that a status shows. */
export const STATUS_PROPERTIES = {
  description: "Description",
  loadState: "LoadState",
  activeState: "ActiveState",
  subState: "SubState",
  stateChanged: "StateChangeTimestamp",
  unitFileState: "UnitFileState",
  fragmentPath: "FragmentPath",
  dropIns: "DropInPaths",
  triggeredBy: "TriggeredBy",
  triggers: "Triggers",
} as const;
/** Properties of units of some types that a status shows. */
export const TYPE_STATUS_PROPERTIES = {
  result: "Result",
  exitCode: "ExecMainCode",
  exitStatus: "ExecMainStatus",
  restarts: "NRestarts",
  statusText: "StatusText",
  mainPid: "MainPID",
  tasksMax: "TasksMax",
  memoryPeakBytes: "MemoryPeak",
  controlGroup: "ControlGroup",
} as const;

/** The interface of units of a type that have a result, by a unit's name; null: units of its type have none. */
export function resultInterface(name: string): string | null {
  return WITHOUT_RESULT.has(typeOf(name)) ? null : typeInterface(name);
}

/** The interface of a unit's own type; null: it has none of its own, as a target. */
export function typeInterface(name: string): string | null {
  return INTERFACES[typeOf(name)] ?? null;
}

function typeOf(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** The object path of a unit: every byte but ASCII letters and digits as `_xx`. */
export function unitPath(name: string): string {
  const escaped = (character: string): string => `_${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return UNIT_PATH_PREFIX + name.replace(/[^A-Za-z0-9]/g, escaped).replace(/^[0-9]/, escaped);
}

/** The unit that an object path stands for; null where it is no unit's. */
export function unitOfPath(path: string): string | null {
  if (!path.startsWith(UNIT_PATH_PREFIX)) return null;
  return path
    .slice(UNIT_PATH_PREFIX.length)
    .replace(/_([0-9a-f]{2})/g, (_match, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

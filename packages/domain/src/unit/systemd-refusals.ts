import type { UnitOption } from "./file.ts";
import { Settings, serviceType } from "./settings.ts";

/**
 * Why systemd would refuse to load a unit, by the rules of its own that can be told from the unit's file alone, each as
 * the end of a sentence. Those of systemd 247 to 257.
 *
 * @param name a valid unit name
 */
export function systemdRefusals(name: string, options: readonly UnitOption[]): readonly string[] {
  const type = name.slice(name.lastIndexOf(".") + 1);
  const rules = RULES[type];
  if (rules === undefined) return [];
  const file = new Settings(options);
  return rules(file, name.slice(0, name.lastIndexOf("."))).filter((why) => why !== null);
}

type Rules = (file: Settings, name: string) => readonly (string | null)[];

const RESTARTS = ["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"];
const TIMES = ["OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec", "OnCalendar"];
const PATHS = ["PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"];
const CONNECTED = ["ListenStream", "ListenSequentialPacket"];
const UNCONNECTED = [
  "ListenDatagram",
  "ListenFIFO",
  "ListenSpecial",
  "ListenNetlink",
  "ListenMessageQueue",
  "ListenUSBFunction",
];
const API_FILE_SYSTEMS = ["proc", "sys", "dev", "run", "dev-pts", "dev-shm"];

const RULES: Readonly<Record<string, Rules>> = {
  service: (file) => [starts(file), ...oneshot(file), busName(file), killMode(file, "Service"), workingDirectory(file)],
  socket: (file) => [...listens(file), killMode(file, "Socket")],
  timer: (file) => [
    file.has("Timer", ...TIMES) || file.isTrue("Timer", "OnClockChange") || file.isTrue("Timer", "OnTimezoneChange")
      ? null
      : "a timer needs OnCalendar=, OnActiveSec= or the like in [Timer]",
  ],
  path: (file) => [
    file.has("Path", ...PATHS) ? null : "a path unit needs PathExists=, PathChanged= or the like in [Path]",
  ],
  mount: (file, name) => [
    file.has("Mount", "What") ? null : "a mount needs What= in [Mount]",
    API_FILE_SYSTEMS.includes(name) ? `${name.replace(/^|-/g, "/")} is mounted by systemd itself` : null,
    pathProblem(file, "Mount", "Where", name),
    killMode(file, "Mount"),
  ],
  automount: (file, name) => [pathProblem(file, "Automount", "Where", name)],
  swap: (file, name) => [pathProblem(file, "Swap", "What", name), killMode(file, "Swap")],
};

function starts(file: Settings): string | null {
  const commands = file.all("Service", "ExecStart").reduce((sum, value) => sum + commandsIn(value), 0);
  const type = serviceType(file);
  if (commands === 0) {
    if (!file.has("Service", "ExecStop") && !file.has("Unit", "SuccessAction"))
      return "a service needs ExecStart= in [Service]";
    if (type !== "oneshot") return `a service without ExecStart= has to be of Type=oneshot, not ${type}`;
    if (!file.isTrue("Service", "RemainAfterExit") && !file.has("Unit", "SuccessAction"))
      return "a service with ExecStop= only needs RemainAfterExit=yes";
  }
  if (commands > 1 && type !== "oneshot")
    return `a service of Type=${type} can have one ExecStart= only, and has ${commands}`;
  const bad = file
    .all("Service", "ExecStart")
    .map((value) => /^[-@:+!|]*(\S+)/.exec(value)?.[1] ?? "")
    .find(isRelativePath);
  return bad === undefined ? null : `ExecStart=${shortened(bad)} is neither an absolute path nor a plain name`;
}

function oneshot(file: Settings): readonly (string | null)[] {
  if (serviceType(file) !== "oneshot") return [];
  const restart = file.last("Service", "Restart", (value) => RESTARTS.includes(value));
  return [
    restart === "always" || restart === "on-success"
      ? `Restart=${restart} is not allowed in a service of Type=oneshot: use on-failure, or another type`
      : null,
    file.has("Service", "RestartForceExitStatus")
      ? "RestartForceExitStatus= is not allowed in a service of Type=oneshot"
      : null,
    file.last("Service", "ExitType", (value) => ["main", "cgroup"].includes(value)) === "cgroup"
      ? "ExitType=cgroup is not allowed in a service of Type=oneshot"
      : null,
  ];
}

function busName(file: Settings): string | null {
  const lacks = serviceType(file) === "dbus" && !file.has("Service", "BusName");
  return lacks ? "a service of Type=dbus needs BusName=" : null;
}

function killMode(file: Settings, section: string): string | null {
  const mode = file.last(section, "KillMode", (value) => ["control-group", "process", "mixed", "none"].includes(value));
  const isBad = file.has(section, "PAMName") && (mode === "process" || mode === "none");
  return isBad ? `PAMName= needs KillMode=control-group or mixed, not ${mode}` : null;
}

function workingDirectory(file: Settings): string | null {
  const bad = file.all("Service", "WorkingDirectory").find((value) => !/^-?[~/%"']/.test(value));
  // A dash before it makes systemd ignore what is wrong with it.
  return bad === undefined || bad.startsWith("-") ? null : `WorkingDirectory=${shortened(bad)} is not an absolute path`;
}

function listens(file: Settings): readonly (string | null)[] {
  const isAccepting = file.isTrue("Socket", "Accept");
  const takesConnections = file.has("Socket", ...CONNECTED);
  if (!takesConnections && !file.has("Socket", ...UNCONNECTED))
    return ["a socket needs ListenStream= or the like in [Socket]"];
  if (!isAccepting) return [];
  return [
    takesConnections ? null : "Accept=yes needs ListenStream= or ListenSequentialPacket=: only these have connections",
    file.has("Socket", "Service")
      ? "Service= is not allowed with Accept=yes: each connection starts an instance of a template"
      : null,
    file.last("Socket", "MaxConnections", (value) => /^\d+$/.test(value)) === "0"
      ? "MaxConnections=0 with Accept=yes lets nobody in"
      : null,
  ];
}

/** A mount's name is the path of what it mounts. One with specifiers can't be told here. */
function pathProblem(file: Settings, section: string, option: string, name: string): string | null {
  const path = file.last(section, option, (value) => value.startsWith("/"));
  if (path === null || path.includes("%")) return null;
  const expected = escapedPath(path);
  return expected === name
    ? null
    : `${option}=${shortened(path)} does not match the unit's name, which has to be ${shortened(expected)}.${section.toLowerCase()}`;
}

/** A path as systemd makes a unit's name of it. */
function escapedPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0) return "-";
  const bytes = Buffer.from(parts.join("/"));
  let name = "";
  for (const [index, byte] of bytes.entries()) {
    const character = String.fromCharCode(byte);
    if (character === "/") name += "-";
    else if (/[A-Za-z0-9:_]/.test(character) || (character === "." && index > 0)) name += character;
    else name += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return name;
}

/** How many commands a value of ExecStart= has: a word `;` divides them. */
function commandsIn(value: string): number {
  let count = 0;
  let isBegun = false;
  for (const word of commandWords(value)) {
    if (word === ";") isBegun = false;
    else if (!isBegun) {
      isBegun = true;
      count++;
    }
  }
  return count;
}

/** The words of a command line, quotes and escapes as they stand. */
function* commandWords(line: string): Generator<string, void> {
  let start = -1;
  let quote = "";
  for (let index = 0; index <= line.length; index++) {
    const character = line[index] ?? " ";
    const isSpace = /\s/.test(character);
    if (start < 0 && !isSpace) start = index;
    if (character === "\\") index++;
    else if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (isSpace && start >= 0) {
      yield line.slice(start, index);
      start = -1;
    }
  }
  if (start >= 0) yield line.slice(start);
}

function isRelativePath(program: string): boolean {
  return program.includes("/") && !/^["'/%]/.test(program);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A part of fleet that a process can run. */
export type RoleName = "agent" | "engine" | "api";

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: "run"; readonly roles: readonly RoleName[]; readonly configPath: string | null }
  | { readonly kind: "check-config"; readonly configPath: string | null }
  | { readonly kind: "reload"; readonly pid: number }
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  | { readonly kind: "error"; readonly message: string };

const ROLES: readonly RoleName[] = ["agent", "engine", "api"];

/** The text of `fleetd --help`. */
export const HELP = `Usage: fleetd [agent|engine|api] [--config PATH]

Runs fleet on this machine: all of it, or the one part that is named.

  --config PATH   read this configuration file instead of /etc/fleet/fleet.conf
  --check-config  check the configuration and exit: 0 where a daemon would take it, else 1
  --reload PID    have that daemon read its configuration anew, and exit: 0 where it is in force, else 1 (for ExecReload=)
  --version       print the version and exit
  --help          print this help and exit

Every option of the configuration file can be given as environment variable FLEET_<NAME>.
To steer a cluster, use fleetctl.
`;

/** Reads fleetd's arguments. */
export function readArguments(args: readonly string[]): Invocation {
  let configPath: string | null = null;
  let isCheck = false;
  let reloadPid: number | null = null;
  const roles: RoleName[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    const [, option, inline] = /^--?(config|reload)(?:=(.*))?$/s.exec(argument) ?? [];
    const role = ROLES.find((name) => name === argument);
    const printing = printingOf(argument);
    if (printing !== null) return printing;
    if (/^--?check-config$/.test(argument)) isCheck = true;
    else if (option !== undefined) {
      const value = inline ?? args[++index];
      const pid = pidIn(value);
      if (value === undefined || (option === "reload" && pid === null)) return valueMissing(option);
      if (option === "config") configPath = value;
      else reloadPid = pid;
    } else if (role !== undefined && roles.length === 0) roles.push(role);
    else return notOurs(args.slice(index));
  }
  if (reloadPid !== null) return { kind: "reload", pid: reloadPid };
  if (isCheck) return { kind: "check-config", configPath };
  return { kind: "run", roles: roles.length > 0 ? roles : ROLES, configPath };
}

/** What an argument has printed, whatever stands beside it; null: nothing. */
function printingOf(argument: string): Invocation | null {
  if (/^(--?)?version$/.test(argument)) return { kind: "version" };
  return /^(--?help|-h)$/.test(argument) ? { kind: "help" } : null;
}

function pidIn(text: string | undefined): number | null {
  return /^[1-9]\d{0,9}$/.test(text ?? "") ? Number(text) : null;
}

function valueMissing(option: string): Invocation {
  return {
    kind: "error",
    message: `--${option} needs ${option === "config" ? "a path" : "the PID of a fleetd"} behind it`,
  };
}

function notOurs(args: readonly string[]): Invocation {
  const what = `fleetd takes no argument ${JSON.stringify(args[0])}`;
  return { kind: "error", message: `${what}. Did you mean to run "fleetctl ${args.join(" ")}"?` };
}

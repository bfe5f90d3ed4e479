/** A part of fleet that a process can run. */
export type RoleName = "agent" | "engine" | "api";

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: "run"; readonly roles: readonly RoleName[]; readonly configPath: string | null }
  | { readonly kind: "check-config"; readonly configPath: string | null }
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  | { readonly kind: "error"; readonly message: string };

const ROLES: readonly RoleName[] = ["agent", "engine", "api"];

/** The text of `fleetd --help`. */
export const HELP = `Usage: fleetd [agent|engine|api] [--config PATH]

Runs fleet on this machine: all of it, or the one part that is named.

  --config PATH   read this configuration file instead of /etc/fleet/fleet.conf
  --check-config  check the configuration and exit: 0 where a daemon would take it, else 1
  --version       print the version and exit
  --help          print this help and exit

Every option of the configuration file can be given as environment variable FLEET_<NAME>.
To steer a cluster, use fleetctl.
`;

/** Reads fleetd's arguments. */
export function readArguments(args: readonly string[]): Invocation {
  let configPath: string | null = null;
  let isCheck = false;
  const roles: RoleName[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    const [, inline] = /^--?config=(.*)$/s.exec(argument) ?? [];
    const role = ROLES.find((name) => name === argument);
    if (/^--?version$/.test(argument) || argument === "version") return { kind: "version" };
    if (/^(--?help|-h)$/.test(argument)) return { kind: "help" };
    if (/^--?check-config$/.test(argument)) isCheck = true;
    else if (inline !== undefined) configPath = inline;
    else if (/^--?config$/.test(argument)) {
      const path = args[++index];
      if (path === undefined) return { kind: "error", message: `${argument} needs a path behind it` };
      configPath = path;
    } else if (role !== undefined && roles.length === 0) roles.push(role);
    else {
      const what = `fleetd takes no argument ${JSON.stringify(argument)}`;
      return { kind: "error", message: `${what}. Did you mean to run "fleetctl ${args.slice(index).join(" ")}"?` };
    }
  }
  if (isCheck) return { kind: "check-config", configPath };
  return { kind: "run", roles: roles.length > 0 ? roles : ROLES, configPath };
}

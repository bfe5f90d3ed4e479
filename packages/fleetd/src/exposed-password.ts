import { readFileSync, statSync } from "node:fs";

/** The group of who may open the API's socket: deploy/sysusers.d/fleet.conf. */
const SOCKET_GROUP = "fleet";
const GROUP_READS = 0o040;
const OTHERS_READ = 0o004;

/** What of a file tells who may read it. */
export interface FileRights {
  readonly mode: number;
  readonly gid: number;
}

/**
 * Who besides fleet's daemons may read a file with etcd's password; null: nobody. Whoever can write to etcd is root on
 * every machine, and members of the socket's group may be those whose token only lets them read.
 *
 * @param socketGid the group ID of the socket's group; null: there is none
 */
export function readersOfPassword({ mode, gid }: FileRights, socketGid: number | null): string | null {
  if ((mode & OTHERS_READ) !== 0) return "every user";
  return (mode & GROUP_READS) !== 0 && gid === socketGid ? `group ${SOCKET_GROUP}` : null;
}

/** A warning where others may read the configuration file, which holds etcd's password; null: nothing to say. */
export function exposedPassword(path: string): string | null {
  const rights = statSync(path, { throwIfNoEntry: false });
  const readers = rights === undefined ? null : readersOfPassword(rights, groupID(SOCKET_GROUP));
  if (readers === null) return null;
  return `${path} holds etcd_password and ${readers} may read it: run chgrp fleet-secrets ${path} && chmod 0640 ${path}`;
}

function groupID(name: string): number | null {
  try {
    const line = new RegExp(`^${name}:[^:]*:(\\d+):`, "m").exec(readFileSync("/etc/group", "utf8"));
    return line?.[1] === undefined ? null : Number(line[1]);
  } catch {
    return null;
  }
}

// Writes docs/fleetctl.md from fleetctl's own tables; with --check fails where the file is not what it would write.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS, GLOBAL_FLAGS } from "@fleet/cli";
import { EVENT_KINDS } from "@fleet/client/description";

const file = join(import.meta.dirname, "../docs/fleetctl.md");
const shown = COMMANDS.filter(({ isHidden }) => isHidden !== true);
const globals = GLOBAL_FLAGS.map(({ name, value, default: fallback, description }) => {
  const flag = value === null ? `--${name}` : `--${name} <${value}>`;
  return `| \`${flag}\` | \`${fallback === "" ? '""' : fallback}\` | ${description} |`;
});
const commands = shown.map(({ name, args, usage, description, flags, examples }) => {
  const rows = flags
    .filter(({ isHidden }) => isHidden !== true)
    .map((flag) => {
      const fallback = flag.default === undefined ? "" : ` (default ${flag.default})`;
      return `- \`${flag.flags}\`: ${flag.description}${fallback}${flag.isRepeated === true ? "; may be repeated" : ""}`;
    });
  return `### ${name}

\`fleetctl ${[name, usage ?? args].filter((part) => part !== "").join(" ")}\`

${description}
${rows.length === 0 ? "" : `\n${rows.join("\n")}\n`}
\`\`\`sh
${examples.join("\n")}
\`\`\``;
});
const kinds = Object.entries(EVENT_KINDS).map(([kind, meaning]) => `| \`${kind}\` | ${meaning} |`);
const text = `# fleetctl

Output, exit codes and words of the old fleetctl's commands are kept: scripts that parse them go on working
([moving-over.md](moving-over.md) lists what differs). Unique beginnings of command names work; one that was unique among the old
commands still means what it meant. A command that changes something takes at least three letters. Surplus arguments of old commands
are passed over. Without a command the help is printed.

Each global flag is also an environment variable, \`FLEETCTL_\` and its name in upper case with \`_\` for \`-\`; a flag on the line wins.
Booleans take \`=true\` and \`=false\`. \`--experimental-api\`, \`--etcd-cafile\`, \`--etcd-certfile\` and \`--etcd-keyfile\` are accepted as before.

| flag | default | meaning |
|---|---|---|
${globals.join("\n")}

The driver is etcd by itself where the endpoint's port is 2379 or 4001. Colours are used on a terminal only, unless NO_COLOR is set.
While many units are waited for, standard error shows how far they are, where it is a terminal. A fleetctl that is older than the cluster
says so on standard error. Text of others, such as descriptions, metadata and messages, can't command a terminal: control characters in
it are printed as \`\\x1b\` and the like, in JSON as \`\\u001b\`. Only \`cat\` into a pipe or a file prints what is there.

**Unit arguments** are paths, names, or names without type, hundreds at once. A file that is submitted is checked first: a likely
mistake is a warning with file and line, one for all files that have the same; where systemd-analyze is installed its words about
lines are among them. With \`--strict\` nothing is submitted where there is a warning.

**Machines** are named by host name, address, or the beginning of the ID.

**Waiting** follows the server's events, and asks again and again only where the server is too old to tell any. A wait that takes long
says within five seconds, on standard error, what it waits for and why, and again when that changes. A unit that fails ends the wait with
systemd's reason: the exit status or signal of its main process, systemd's result, and the number of restarts of one that keeps failing.
What may pass, as an error of a machine that tries again, counts once it has stayed for two seconds; a
service that systemd calls active as soon as its program is begun is started once it has stayed active for 0.2 s. Global units are waited for on
every machine that fits them. Where a unit's state is set already and systemd's is contrary to it, a command acts all the same:
\`start\` starts what has failed, ended or was stopped by hand, \`stop\` stops what another unit started. A global unit of which only some copies are so is left as it is, with exit code 1 and the
command that would mend it: to tell systemd again would touch the others. An interrupted
fleetctl leaves the cluster consistent: what was asked goes on there, and running the command again does the rest.

**While etcd is away** a command that only looks (lists, \`status\`, \`journal\`, \`explain\`, \`cat\`, \`ssh\`) shows what the API last saw, says
on standard error how old that is and where etcd should be, and ends with exit code 0. Whatever changes something fails.

**Journals and status** come from the machines by way of the API, where \`link_listen\` is set in its fleet.conf: no SSH is needed. Where it
is not, or the API is too old, and with \`--ssh\`, the same commands go over SSH. When an API dies in the middle, the journal goes on after
the last line of each machine, at the next of several \`--endpoint\`s where there is one; no line is lost and none comes twice.

**SSH** is the user's OpenSSH, with its agent and configuration, run with fleetctl's own known-hosts file, host-key policy, time-out and
user. With \`--tunnel\` the API, a UNIX socket or a TCP endpoint as the bastion sees it, is reached through one forwarded connection, and
\`ssh\`, \`status\` and \`journal\` reach machines through the bastion. The question whether to trust a new host takes its answer from standard
input where that is no terminal. A changed host key aborts. Names of units reach the far side as words, never as code. The
words of \`fleetctl ssh MACHINE WORD...\` are a line for the remote shell, as with ssh; \`--quote\` passes each on as it is.

## Commands

${commands.join("\n\n")}

## Events

| kind | means |
|---|---|
${kinds.join("\n")}

This page is written by \`scripts/fleetctl-doc.ts\` from fleetctl's tables; a check keeps it so.
`;
if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") === text) process.exit(0);
  console.error("Error: docs/fleetctl.md is out of date: run node --conditions=fleet-source scripts/fleetctl-doc.ts");
  process.exit(1);
}
writeFileSync(file, text);

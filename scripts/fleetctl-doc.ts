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

fleetctl keeps the commands of the old fleetctl, with their output and exit codes, so that scripts which parse them continue to work;
[moving-over.md](moving-over.md) lists the differences. A unique beginning of a command's name is enough, and one that was unique among
the old commands still means the same command. A command that changes something needs at least three letters. Surplus arguments of old
commands are ignored. Without a command the help is printed.

Each global flag is also an environment variable, \`FLEETCTL_\` and its name in upper case with \`_\` for \`-\`; a flag on the line wins.
Booleans take \`=true\` and \`=false\`. \`--experimental-api\`, \`--etcd-cafile\`, \`--etcd-certfile\` and \`--etcd-keyfile\` are accepted as before.

| flag | default | meaning |
|---|---|---|
${globals.join("\n")}

An endpoint on port 2379 or 4001 selects the etcd driver. Colours are used on terminals only, unless NO_COLOR is set. While many units
are waited for, progress is shown on standard error if that is a terminal. A fleetctl that is older than the cluster prints a warning.
Descriptions, metadata and messages can't control the terminal: control characters in them are printed as \`\\x1b\`, in JSON as
\`\\u001b\`. \`cat\` and \`journal --output cat\` print the original bytes into a pipe or a file. \`journal --output export\` always does, and is
refused on a terminal.

**Units** are given as paths, names, or names without a type, hundreds at once. Unit files are checked before they are submitted. A likely
mistake is reported as a warning with file and line, once for all files with the same one. If systemd-analyze is installed, its
messages about lines are included. With \`--strict\` a warning prevents the submission.

**Machines** are named by host name, address, or the beginning of the ID.

**Waiting** follows the server's events; a server that is too old to report events is polled. A long wait prints within five seconds, on
standard error, what it waits for and why, and prints that again when it changes. A unit that fails ends the wait with systemd's
reason: the exit status or signal of its main process, systemd's result, and the number of restarts. A transient error, such as that of
a machine which retries, counts after two seconds. A service that systemd calls active as soon as its program is begun counts as
started after 0.2 s without a failure. Global units are waited for on every machine that they fit.

If a unit has its desired state already but systemd reports the contrary, the command acts: \`start\` starts a unit that has failed, has
ended or was stopped by hand, and \`stop\` stops a unit that another unit started. If that is so for only some copies of a global unit,
nothing is changed, because the other copies would be affected: the exit code is 1, and the command that helps is printed. An
interrupted fleetctl leaves the cluster consistent: the cluster continues, and running the command again does the rest.

**Rolls** change many units a few at a time: \`start --replace --roll\` gives those that run their new versions, \`restart --roll\` restarts
them. The engine makes the roll, so fleetctl may be interrupted; \`fleetctl roll\` shows and steers it. The next unit begins when one has been
active for the settle time without a restart, and at most \`--max-unavailable\` units of the roll are down at a time, those included that are down
by themselves. A unit that systemd fails, or restarts within the settle time, or that fits nowhere, fails the roll: it stops there, or with
\`--on-failure undo\` all units get their old versions back. There is no time limit but the unit's TimeoutStartSec=, and 10 s for a
machine to be found. A unit that ends by itself, as a oneshot does, fails the roll too. A unit that somebody changes meanwhile is left
alone. Overlap=true changes nothing here: each unit stops before its new version starts. Scheduled units only; a token that is bound to
units can't roll.

**While etcd is unreachable** a command that only reads (lists, \`status\`, \`journal\`, \`top\`, \`explain\`, \`cat\`, \`ssh\`) shows the API's last view
of it with exit code 0, and prints its age and etcd's addresses on standard error. The API needs etcd to ask machines anew: \`status\`,
\`journal\` and \`top\` use SSH then; a journal that is followed already goes on. Every change fails.

**Journals, status and top** come from the machines through the API, if \`link_listen\` is set in its fleet.conf: SSH is not needed.
Otherwise, or with \`--ssh\`, the same commands use SSH. If an API dies while a journal is read, the journal continues after the last line of each
machine, at the next of several endpoints if there are any: no line is lost or printed twice.

**SSH** is the user's OpenSSH, with its agent and configuration, run with fleetctl's own known-hosts file, host-key policy, timeout and
user. With \`--tunnel\` the API, a UNIX socket or a TCP endpoint as seen from the bastion, is reached through one forwarded connection, and
\`ssh\`, \`status\`, \`journal\` and \`top\` reach machines through the bastion. The question whether to trust a new host can be answered on standard
input that is not a terminal. A changed host key aborts the connection. Names of units are passed to the remote shell as words, never
as code. The words of \`fleetctl ssh MACHINE WORD...\` are a line for the remote shell, as with ssh; \`--quote\` passes each word unchanged.

## Commands

${commands.join("\n\n")}

## Events

| kind | means |
|---|---|
${kinds.join("\n")}

This page is generated by \`scripts/fleetctl-doc.ts\` from fleetctl's tables, and a check compares them.
`;
if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") === text) process.exit(0);
  console.error("Error: docs/fleetctl.md is out of date: run node --conditions=fleet-source scripts/fleetctl-doc.ts");
  process.exit(1);
}
writeFileSync(file, text);

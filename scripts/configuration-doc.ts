// Writes docs/configuration.md and the sample deploy/fleet.conf from the option table; with --check fails where a file is not
// what it would write.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OPTIONS, RESTART_OPTIONS } from "@fleet/config";

const rows = OPTIONS.map(({ name, default: fallback, description }) => {
  const shown = fallback === "" ? '""' : fallback;
  return `| \`${name}\` | \`${shown}\` | ${description} |`;
});
const restartOptions = RESTART_OPTIONS.map((name) => `\`${name}\``).join(", ");
const text = `# Configuration

fleetd reads \`/etc/fleet/fleet.conf\` if it is there, or the file named by \`--config PATH\`, which must then exist. It holds
\`key=value\` lines outside of any section, values optionally in one pair of single or double quotes, and \`#\` and \`;\` comments on
lines of their own. Every option can be given as environment variable \`FLEET_\` and its name in upper case; the environment wins.

An unknown key is a warning that names it. A value that can't be used is an error at start that names the option, the value, where
it came from and what was expected. \`systemctl reload\` (SIGHUP) reads the file again, and what has changed takes effect at once, but for
${restartOptions},
and whether the API has TLS at all. Which of these await a restart of the daemon is said in its log, in \`systemctl status\`, and by \`fleetd --reload\`.

A reload is all or nothing. \`systemctl reload\` runs \`fleetd --reload PID\`, which waits up to 20 s for the daemon's own answer, and fails with the
reason where the daemon refuses the configuration or does not answer. A daemon that refuses keeps all that it has, and says so in its log,
in \`systemctl status\` and by the metric \`fleet_config_last_reload_successful\` 0. It refuses values that can't be used, a fleet.conf that is
missing or has no option any more, one without the \`api_tokens_file\` that it had (to run without them takes a restart), and one without the
\`api_client_cafile\` or the \`metadata\` that it had (write \`metadata=\` to have none). \`kill -HUP\` does the same and waits for nothing. \`fleetd --check-config\`
checks a configuration beforehand. A revoked token is refused at once, and event streams that it has opened are cut; revoking the last one leaves nobody
who may use the API.

Durations are written as Go does: \`30s\`, \`1m30s\`, \`500ms\`. etcd's leases are whole seconds and at least two: \`agent_ttl\` is rounded up.
Booleans are true, t, 1, false, f or 0, in any case.

| option | default | meaning |
|---|---|---|
${rows.join("\n")}

This page is written by \`scripts/configuration-doc.ts\` from the table in \`packages/config/src/options.ts\`; a check keeps it so.
`;
const lines = OPTIONS.filter(({ description }) => !/^(Deprecated|Accepted)/.test(description)).map(
  ({ name, default: fallback, description }) => `# ${description}\n#${name}=${fallback}\n`,
);
const sample = `# Configuration of fleetd: fleet.conf(5). Lines show the defaults.\n\n${lines.join("\n")}`;
const files = { "docs/configuration.md": text, "deploy/fleet.conf": sample };
for (const [file, wanted] of Object.entries(files)) {
  const path = join(import.meta.dirname, "..", file);
  if (!process.argv.includes("--check")) writeFileSync(path, wanted);
  else if (readFileSync(path, "utf8") !== wanted) {
    console.error(`Error: ${file} is out of date: run node --conditions=fleet-source scripts/configuration-doc.ts`);
    process.exitCode = 1;
  }
}

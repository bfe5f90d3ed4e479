// The manual pages, from the same tables as the help and docs/.
import { COMMANDS, GLOBAL_FLAGS } from "@fleet/cli";
import { OPTIONS } from "@fleet/config";
import { HELP } from "@fleet/fleetd";

/**
 * The manual pages as troff source.
 *
 * @param version of fleet
 * @returns by file name, such as `fleetctl.1`
 */
export function manPages(version: string): Readonly<Record<string, string>> {
  return { "fleetctl.1": fleetctl(version), "fleetd.8": fleetd(version), "fleet.conf.5": fleetConf(version) };
}

function fleetctl(version: string): string {
  const shown = COMMANDS.filter(({ isHidden }) => isHidden !== true);
  return [
    title("fleetctl", 1, version),
    section("NAME", "fleetctl \\- show and steer a fleet cluster"),
    section("SYNOPSIS", ".B fleetctl\n[\\fIglobal flags\\fR] \\fIcommand\\fR [\\fIflags\\fR] [\\fIarguments\\fR]"),
    section(
      "DESCRIPTION",
      text(
        "fleetctl hands unit files to a fleet cluster, starts and stops them there, and shows what runs where. Unique beginnings of command names work.",
      ),
    ),
    section(
      "GLOBAL FLAGS",
      text("Each is also an environment variable, FLEETCTL_ and its name in upper case with _ for -; a flag wins."),
      ...GLOBAL_FLAGS.map(({ name, value, default: fallback, description }) =>
        item(
          `--${name}${value === null ? "" : ` <${value}>`}`,
          fallback === "" ? description : `${description} Default: ${fallback}`,
        ),
      ),
    ),
    section(
      "COMMANDS",
      ...shown.map(({ name, args, usage, description, flags, examples }) =>
        [
          `.SS ${text(`fleetctl ${name} ${usage ?? args}`.trimEnd())}`,
          text(description),
          ...flags.filter(({ isHidden }) => isHidden !== true).map((flag) => item(flag.flags, flag.description)),
          ".PP\n.nf\n.RS",
          text(examples.join("\n")),
          ".RE\n.fi",
        ].join("\n"),
      ),
    ),
    section("SEE ALSO", ".BR fleetd (8),\n.BR fleet.conf (5),\n.BR systemd.unit (5)"),
  ].join("\n");
}

function fleetd(version: string): string {
  return [
    title("fleetd", 8, version),
    section("NAME", "fleetd \\- daemon of a fleet cluster: agent, engine and API"),
    section("SYNOPSIS", ".B fleetd\n[\\fBagent\\fR|\\fBengine\\fR|\\fBapi\\fR] [\\fB\\-\\-config\\fR \\fIPATH\\fR]"),
    section("DESCRIPTION", ".nf", text(HELP.trimEnd()), ".fi"),
    section(
      "SIGNALS",
      item("SIGTERM, SIGINT", "Ends. An agent takes its units along, unless units_on_shutdown=keep."),
      item("SIGUSR2", "Ends and leaves the units running for the next fleetd; systemctl restart sends it."),
      item("SIGHUP", "Reads the configuration anew. fleetd \\-\\-reload sends it and waits for the outcome."),
      item("SIGUSR1", "Prints the whole internal state as a line of JSON."),
    ),
    section("FILES", item("/etc/fleet/fleet.conf", "The configuration."), item("/run/fleet/units", "Unit files.")),
    section("SEE ALSO", ".BR fleetctl (1),\n.BR fleet.conf (5)"),
  ].join("\n");
}

function fleetConf(version: string): string {
  return [
    title("fleet.conf", 5, version),
    section("NAME", "fleet.conf \\- configuration of fleetd"),
    section("SYNOPSIS", "/etc/fleet/fleet.conf"),
    section(
      "DESCRIPTION",
      text(
        "Lines of key=value, values optionally in quotes; # and ; begin comments. Every option can be given as environment variable FLEET_ and its name in upper case, which wins.",
      ),
    ),
    section(
      "OPTIONS",
      ...OPTIONS.map(({ name, default: fallback, description }) =>
        item(name, fallback === "" ? description : `${description} Default: ${fallback}`),
      ),
    ),
    section("SEE ALSO", ".BR fleetd (8)"),
  ].join("\n");
}

function title(name: string, section: number, version: string): string {
  return `.TH ${name.toUpperCase()} ${section} "" "fleet ${version}" "fleet"`;
}

function section(name: string, ...parts: readonly string[]): string {
  return [`.SH ${name}`, ...parts].join("\n");
}

function item(term: string, meaning: string): string {
  return `.TP\n.B ${text(term)}\n${text(meaning)}`;
}

/** Text as troff takes it: nothing in it is an instruction. */
function text(plain: string): string {
  return plain
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}

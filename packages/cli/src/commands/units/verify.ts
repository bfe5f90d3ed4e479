import { expandUnitName } from "@fleet/domain/unit";
import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";
import { findingsOf, findingText, type UnitFile } from "../../submitting/findings.ts";
import { unitFileNameProblem } from "../../submitting/unit-file-name.ts";

/** What old scripts look for. */
export const SIGNED_UNITS_WARNING = "WARNING: The signed/verified units feature is DEPRECATED and cannot be used.";

export const verify: Command = {
  name: "verify",
  isClassic: true,
  args: "[files...]",
  usage: "FILE...",
  summary: "Check unit files without submitting them",
  description: `Check unit files offline: by fleet's rules, and by systemd's if systemd-analyze is installed. Problems are printed with
their lines. The exit code is 1 if fleet would refuse a file; with --strict also for a warning.

The old meaning, to verify a signed unit of the cluster, is gone: for a name that is not a file the exit code is 2.`,
  flags: [{ flags: "--strict", description: "Treat warnings as errors" }],
  examples: ["fleetctl verify foo.service", "fleetctl verify --strict units/*.service"],
  completes: "file",
  async run(context, args, flags) {
    const files: UnitFile[] = [];
    for (const path of args) {
      const bytes = context.readFile(path);
      const problem = bytes === null ? null : unitFileNameProblem(path);
      if (problem !== null) throw new CommandError(problem);
      if (bytes !== null) files.push({ path, name: expandUnitName(path), bytes });
    }
    if (files.length === 0 && !args.some((path) => path.includes("/"))) {
      context.err(SIGNED_UNITS_WARNING);
      return 2;
    }
    const missing = args.find((path) => !files.some((file) => file.path === path));
    if (missing !== undefined) throw new CommandError(`file ${missing} does not exist`);
    let exitCode = 0;
    for (const [path, findings] of await findingsOf(context, files, null)) {
      if (findings.length === 0) context.out(`${path}: ok`);
      for (const finding of findings) {
        context.out(findingText(path, { ...finding, message: `${finding.severity}: ${finding.message}` }));
        if (finding.severity === "error" || flags.strict === true) exitCode = 1;
      }
    }
    return exitCode;
  },
};

import { InvalidUnitError, UnitFileError } from "./errors.ts";
import { type UnitOption, walkUnitFile } from "./file.ts";
import { FleetLinter, misspeltFleetSection } from "./fleet-lint.ts";
import { parseUnitName, refusedNameProblem } from "./name.ts";
import { checkRequirements, readRequirements } from "./requirements.ts";
import { Settings } from "./settings.ts";
import { systemdRefusals } from "./systemd-refusals.ts";

/** Something in a unit file that is wrong, or a likely mistake. */
export interface Finding {
  /** The line, from 1; null: the file as a whole. */
  readonly line: number | null;
  /** error: the unit is refused. warning: it is taken, and something in it has no effect. */
  readonly severity: "error" | "warning";
  /** One sentence. */
  readonly message: string;
}

/** The section of its own that each type of unit has; the others have none. */
const TYPE_SECTIONS: Readonly<Record<string, string>> = {
  automount: "Automount",
  mount: "Mount",
  path: "Path",
  scope: "Scope",
  service: "Service",
  slice: "Slice",
  socket: "Socket",
  swap: "Swap",
  timer: "Timer",
};

/** After so many findings of one file nobody reads on. */
const MOST_FINDINGS = 1_000;

/**
 * Checks a unit file as far as that can be done without systemd: what fleet refuses, what has no effect, and what systemd
 * would refuse to load. By line.
 *
 * @param name the unit's name
 */
export function lintUnitFile(name: string, source: string | Uint8Array): readonly Finding[] {
  const problem = refusedNameProblem(name);
  if (problem !== null)
    return [{ line: null, severity: "error", message: `the name ${name} is not valid: ${problem}` }];
  const findings: Finding[] = [];
  const warn = (line: number | null, message: string): void => {
    if (findings.length < MOST_FINDINGS) findings.push({ line, severity: "warning", message });
  };
  try {
    const options = walk(name, source, warn, () => findings.length >= MOST_FINDINGS);
    if (options.length === 0) throw new InvalidUnitError("the file has no options: at least one Name=value is needed");
    checkRequirements(name, readRequirements(name, options));
    for (const why of systemdRefusals(name, options)) warn(null, `${why}: systemd will refuse it`);
    const template = templateOfConnections(name, options);
    if (template !== null)
      warn(
        null,
        `Accept=yes starts instances of ${template}, and fleet loads no template: its file has to be on the machine by itself`,
      );
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof UnitFileError) {
      findings.push({ line: error.line, severity: "error", message: error.reason });
    } else if (error instanceof InvalidUnitError) findings.push({ line: null, severity: "error", message });
    else throw error;
  }
  return findings.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity) || 0);
}

function walk(
  name: string,
  source: string | Uint8Array,
  warn: (line: number, message: string) => void,
  isFull: () => boolean,
): readonly UnitOption[] {
  const options: UnitOption[] = [];
  const type = parseUnitName(name)?.type ?? "";
  const linter = new FleetLinter(name);
  walkUnitFile(source, {
    onStray: (line) => warn(line, "stands before any [Section] and is ignored"),
    onSection: (section, line) => {
      const why = sectionProblem(section, type);
      if (why !== null) warn(line, why);
    },
    onOption: (option, line) => {
      options.push(option);
      if (isFull()) return;
      const swallowed = swallowedSection(option);
      if (swallowed !== null)
        warn(
          line,
          `${option.name} carries on to the line ${swallowed}, which opens no section: end the line before it without a backslash`,
        );
      for (const [where, why] of linter.problems(option, line)) warn(where, why);
    },
  });
  return options;
}

/** The template whose instances the connections of a socket start; null: they start none. */
function templateOfConnections(name: string, options: readonly UnitOption[]): string | null {
  const { type, prefix } = parseUnitName(name) ?? {};
  return type === "socket" && new Settings(options).isTrue("Socket", "Accept") ? `${prefix}@.service` : null;
}

/** A line within a value that looks like a section; null: there is none. */
function swallowedSection({ value }: UnitOption): string | null {
  return value.includes("\n") ? (/\n[ \t]*(\[[A-Za-z][\w-]*\])[ \t]*(?=\\?\n|\\?$)/.exec(value)?.[1] ?? null) : null;
}

function sectionProblem(section: string, type: string): string | null {
  const misspelt = misspeltFleetSection(section);
  if (misspelt !== null) return misspelt;
  if (section === "Unit" || section === "Install" || section.startsWith("X-")) return null;
  if (section === TYPE_SECTIONS[type]) return null;
  return Object.values(TYPE_SECTIONS).includes(section)
    ? `section [${section}] has no effect in a unit of type ${type}`
    : `section [${section}] is not known and has no effect`;
}

/** A finding of one or more files. */
export interface FindingInFiles {
  /** The first file that it is in. */
  readonly path: string;
  readonly finding: Finding;
  /** How many more times the same was found, in this file and in others. */
  readonly more: number;
}

/** Findings of many files, each sentence once: what is true of a hundred lines needs to be read once. */
export function likeFindings(found: ReadonlyMap<string, readonly Finding[]>): readonly FindingInFiles[] {
  const bySentence = new Map<string, FindingInFiles>();
  for (const [path, findings] of found) {
    for (const finding of findings) {
      const key = `${finding.severity} ${finding.message}`;
      const known = bySentence.get(key);
      bySentence.set(key, known === undefined ? { path, finding, more: 0 } : { ...known, more: known.more + 1 });
    }
  }
  return [...bySentence.values()];
}

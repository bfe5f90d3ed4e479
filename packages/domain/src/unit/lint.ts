import { InvalidUnitError, UnitFileError } from "./errors.ts";
import { type UnitOption, walkUnitFile } from "./file.ts";
import { isGlob } from "./glob.ts";
import { parseUnitName, unitNameProblem } from "./name.ts";
import {
  checkRequirements,
  FLEET_SECTION,
  isFleetOption,
  isMetadataTest,
  MOST_WEIGHT,
  readRequirements,
} from "./requirements.ts";

/** Something in a unit file that is wrong, or hardly meant so. */
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

/**
 * Checks a unit file as far as that can be done without systemd: what fleet refuses, and obvious mistakes. By line.
 *
 * @param name the unit's name
 */
export function lintUnitFile(name: string, source: string | Uint8Array): readonly Finding[] {
  const problem = unitNameProblem(name);
  if (problem !== null)
    return [{ line: null, severity: "error", message: `the name ${name} is not valid: ${problem}` }];
  const findings: Finding[] = [];
  const warn = (line: number | null, message: string): void => {
    findings.push({ line, severity: "warning", message });
  };
  const options: UnitOption[] = [];
  const type = parseUnitName(name)?.type ?? "";
  try {
    walkUnitFile(source, {
      onStray: (line) => warn(line, "stands before any [Section] and is ignored"),
      onSection: (section, line) => {
        const why = sectionProblem(section, type);
        if (why !== null) warn(line, why);
      },
      onOption: (option, line) => {
        options.push(option);
        const why = option.section === FLEET_SECTION ? fleetOptionProblem(option) : null;
        if (why !== null) warn(line, why);
      },
    });
    if (options.length === 0) throw new InvalidUnitError("the file has no options: at least one Name=value is needed");
    checkRequirements(name, readRequirements(name, options));
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof UnitFileError) {
      findings.push({ line: error.line, severity: "error", message: error.reason });
    } else if (error instanceof InvalidUnitError) findings.push({ line: null, severity: "error", message });
    else throw error;
    return findings;
  }
  const lacking = whatIsLacking(type, options);
  if (lacking !== null) warn(null, lacking);
  return findings;
}

function sectionProblem(section: string, type: string): string | null {
  if (section === "Unit" || section === "Install" || section.startsWith("X-")) return null;
  if (section === TYPE_SECTIONS[type]) return null;
  return Object.values(TYPE_SECTIONS).includes(section)
    ? `section [${section}] has no effect in a unit of type ${type}`
    : `section [${section}] is not known and has no effect`;
}

function fleetOptionProblem({ name, value }: UnitOption): string | null {
  if (!isFleetOption(name)) return `option ${name} in [${FLEET_SECTION}] is not known and has no effect`;
  const words = value.replace(/^"|"$/g, "").split(/"?\s+"?/);
  if (value === "") return null;
  if (/Metadata$/.test(name)) {
    const bad = words.find((word) => !isMetadataTest(word));
    return bad === undefined
      ? null
      : `${JSON.stringify(bad)} in ${name} is not key=value, key!=value, key>=number or key<=number and has no effect`;
  }
  if (name === "Weight" && !/^\d{1,5}$/.test(value))
    return `${JSON.stringify(value)} is no number from 1 to ${MOST_WEIGHT}: Weight counts as 1`;
  if (/(Conflicts|Replaces|PreferApart)$/.test(name)) {
    const bad = words.find((word) => !isGlob(word));
    return bad === undefined ? null : `${JSON.stringify(bad)} in ${name} is not a valid glob and matches nothing`;
  }
  if (["Global", "Stay", "Overlap"].includes(name) && !/^"?(true|yes|1|on|t|false|no|0|off|f)"?$/i.test(value))
    return `${JSON.stringify(value)} is neither true nor false: ${name} counts as false`;
  return null;
}

function whatIsLacking(type: string, options: readonly UnitOption[]): string | null {
  const has = (section: string, ...names: readonly string[]): boolean =>
    options.some((option) => option.section === section && names.includes(option.name) && option.value !== "");
  if (type === "service" && !has("Service", "ExecStart", "ExecStop") && !has("Unit", "SuccessAction"))
    return "a service needs ExecStart= in [Service]: systemd will refuse it";
  if (type === "timer" && !options.some(({ section, name }) => section === "Timer" && /^On/.test(name)))
    return "a timer needs OnCalendar=, OnActiveSec= or the like in [Timer]: systemd will refuse it";
  if (type === "socket" && !options.some(({ section, name }) => section === "Socket" && /^Listen/.test(name)))
    return "a socket needs ListenStream= or the like in [Socket]: systemd will refuse it";
  return null;
}

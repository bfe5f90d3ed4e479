import type { UnitStatus } from "@fleet/client";
import { terminalLine } from "@fleet/domain/text";
import { entryLines, hostOf } from "../journal/entry-text.ts";
import { bytesText, cpuText, momentText, spanText } from "../printing/amounts.ts";

/** Labels stand to the left of this column, as systemctl's do. */
const LABEL_COLUMNS = 11;

/** How a status is shown. */
export interface StatusLook {
  readonly hasColors: boolean;
  /** The time now, by which it is said how long ago something was. */
  readonly now: Date;
}

/** What systemd says of a unit on a machine, as systemctl shows it, with the machine. */
export function unitStatusLines(status: UnitStatus, look: StatusLook): readonly string[] {
  const { unit, description, journal = [] } = status;
  const title = description === undefined || description === unit ? unit : `${unit} - ${description}`;
  const lines = [
    `${dotOf(status, look)} ${terminalLine(title)}`,
    row("Machine", `${hostOf(status)} (${status.machineID})`),
    row("Loaded", loadedText(status)),
    ...list("Drop-In", status.dropIns),
    row("Active", activeText(status, look)),
    ...list("TriggeredBy", status.triggeredBy),
    ...list("Triggers", status.triggers),
    ...mainProcess(status),
    ...optional("Status", status.statusText, (text) => `"${text}"`),
    ...optional("Tasks", status.tasks, (tasks) => withMost(String(tasks), "limit", status.tasksMax)),
    ...optional("Memory", status.memoryBytes, (bytes) =>
      withMost(bytesText(bytes), "peak", status.memoryPeakBytes, bytesText),
    ),
    ...optional("CPU", status.cpuMs, cpuText),
    ...ioRows(status),
    ...controlGroup(status),
  ];
  if (journal.length === 0) return lines;
  return [...lines, "", ...journal.flatMap((entry) => entryLines(entry, "short", look.hasColors))];
}

/** What systemctl's status ends with: 0, 3 where the unit is not active, 4 where systemd does not know it. */
export function exitCodeOf({ loadState, activeState }: UnitStatus): number {
  if (loadState === "not-found") return 4;
  return activeState === "inactive" || activeState === "failed" ? 3 : 0;
}

/** A line of a status: its label, right-aligned, and text of whoever's. */
export function row(label: string, text: string): string {
  return `${label.padStart(LABEL_COLUMNS)}: ${terminalLine(text)}`;
}

/** A further line of the row above. */
export function below(text: string): string {
  return `${" ".repeat(LABEL_COLUMNS + 2)}${terminalLine(text)}`;
}

function optional<T>(label: string, value: T | undefined, text: (value: T) => string): readonly string[] {
  return value === undefined ? [] : [row(label, text(value))];
}

function list(label: string, values: readonly string[] = []): readonly string[] {
  return values.map((value, index) => (index === 0 ? row(label, value) : below(value)));
}

function withMost(
  text: string,
  what: string,
  most: number | undefined,
  textOf: (most: number) => string = String,
): string {
  return most === undefined ? text : `${text} (${what}: ${textOf(most)})`;
}

function dotOf({ activeState }: UnitStatus, { hasColors }: StatusLook): string {
  const [dot, color] = DOTS[activeState ?? ""] ?? ["○", null];
  return hasColors && color !== null ? `\u001b[${color}m${dot}\u001b[0m` : dot;
}

const GREEN = 32;
const RED = 31;
const DOTS: Readonly<Record<string, readonly [dot: string, color: number | null]>> = {
  active: ["●", GREEN],
  reloading: ["↻", GREEN],
  activating: ["●", null],
  deactivating: ["●", null],
  failed: ["×", RED],
};

function loadedText({ loadState = "unknown", fragmentPath, unitFileState }: UnitStatus): string {
  const parts = [fragmentPath, unitFileState].filter((part) => part !== undefined && part !== "");
  return parts.length === 0 ? loadState : `${loadState} (${parts.join("; ")})`;
}

function activeText({ activeState = "unknown", subState, result, since, restarts = 0 }: UnitStatus, look: StatusLook) {
  const isBad = activeState === "failed" && result !== undefined && result !== "success";
  const detail = isBad ? `Result: ${result}` : (subState ?? "");
  const again = restarts === 0 ? "" : `, restarted ${restarts} ${restarts === 1 ? "time" : "times"}`;
  const state = `${activeState}${detail === "" ? "" : ` (${detail})`}${again}`;
  const at = since === undefined ? Number.NaN : Date.parse(since);
  if (Number.isNaN(at)) return state;
  return `${state} since ${momentText(new Date(at))}; ${spanText((look.now.getTime() - at) / 1000)} ago`;
}

function mainProcess({ mainPID, mainProcess: name, exitStatus, exitSignal, activeState }: UnitStatus) {
  const isOver = activeState === "failed" || activeState === "inactive";
  const end = exitSignal === undefined ? exitText(exitStatus) : `code=killed, signal=${exitSignal.replace(/^SIG/, "")}`;
  if (mainPID === undefined || mainPID === 0) return isOver && end !== null ? [row("Main PID", `(${end})`)] : [];
  const detail = isOver ? end : (name ?? null);
  return [row("Main PID", `${mainPID}${detail === null ? "" : ` (${detail})`}`)];
}

function exitText(status: number | undefined): string | null {
  return status === undefined ? null : `code=exited, status=${status}`;
}

function ioRows({ ioReadBytes, ioWriteBytes }: UnitStatus): readonly string[] {
  if (ioReadBytes === undefined && ioWriteBytes === undefined) return [];
  return [row("IO", `${bytesText(ioReadBytes ?? 0)} read, ${bytesText(ioWriteBytes ?? 0)} written`)];
}

/** The processes of a control group, those of groups within it below their names. */
function controlGroup({ controlGroup: root, processes = [] }: UnitStatus): readonly string[] {
  if (root === undefined || root === "") return [];
  const byGroup = Map.groupBy(processes, (process) => {
    const group = process.controlGroup ?? root;
    return group.startsWith(`${root}/`) ? group.slice(root.length + 1) : "";
  });
  const own = byGroup.get("") ?? [];
  const groups = [...byGroup].filter(([name]) => name !== "").sort(([a], [b]) => (a < b ? -1 : 1));
  const entries = [
    ...groups.map(([name, members]) => ({ text: name, within: members.map(processText) })),
    ...own.map((process) => ({ text: processText(process), within: [] })),
  ];
  return [
    row("CGroup", root),
    ...entries.flatMap(({ text, within }, index) => {
      const isLast = index === entries.length - 1;
      const inner = within.map((line, at) => `${isLast ? "  " : "│ "}${at === within.length - 1 ? "└─" : "├─"}${line}`);
      return [`${isLast ? "└─" : "├─"}${text}`, ...inner].map(below);
    }),
  ];
}

function processText({ pid, command }: { readonly pid: number; readonly command: string }): string {
  return `${pid} ${command}`;
}

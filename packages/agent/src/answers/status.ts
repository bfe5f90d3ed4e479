import { readFile } from "node:fs/promises";
import { type Answer, RefusedQuestion, type StatusQuestion, type UnitStatus } from "@fleet/link";
import { runResult } from "../systemd/run-results.ts";
import { numberOf, type UnitDetails, type UnitProcessRow, type UnitProperties } from "../systemd/unit-details.ts";
import { STATUS_PROPERTIES, TYPE_STATUS_PROPERTIES } from "../systemd/wire.ts";
import { type JournalOptions, printJournal } from "./journal.ts";
import { figures } from "./usage.ts";

/** Where states are read. */
export interface StatusOptions {
  readonly connectDetails: () => Promise<UnitDetails>;
  readonly journal: JournalOptions;
}

/** Most entries of a journal that a status has: an API asks for no more. */
const MOST_LINES = 10_000;
/** Most bytes of them: a status is one message. */
const MOST_JOURNAL_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

/** What systemd says of some of fleet's units, with their processes and last entries of the journal. */
export async function* readStatus(
  { units, lines }: StatusQuestion,
  signal: AbortSignal,
  { connectDetails, journal }: StatusOptions,
): AsyncGenerator<Answer, void> {
  await journal.units.check(units);
  const details = await connectDetails();
  try {
    for (const unit of units) {
      const properties = await details.properties(unit);
      const processes = await processesOf(details, unit);
      const mainPid = Number(properties.get(TYPE_STATUS_PROPERTIES.mainPid) ?? 0);
      yield {
        status: {
          ...statusOf(unit, properties, processes),
          ...(await nameOf(mainPid)),
          ...figures(await details.figures(unit)),
          journal: await lastEntries(unit, Math.min(lines, MOST_LINES), signal, journal),
        },
      };
    }
  } finally {
    details.close();
  }
}

/** A status of what systemd says; what it does not say is left out. */
export function statusOf(unit: string, properties: UnitProperties, processes: readonly UnitProcessRow[]): UnitStatus {
  const text = (name: string): string | undefined => textOf(properties.get(name));
  const number = (name: string): number | undefined => {
    const found = numberOf(properties.get(name));
    return found === null ? undefined : Number(found);
  };
  const list = (name: string): readonly string[] => (properties.get(name) as readonly string[] | undefined) ?? [];
  const mainPid = number(TYPE_STATUS_PROPERTIES.mainPid);
  const restarts = number(TYPE_STATUS_PROPERTIES.restarts);
  const exitCode = number(TYPE_STATUS_PROPERTIES.exitCode) ?? 0;
  const exitStatus = number(TYPE_STATUS_PROPERTIES.exitStatus) ?? 0;
  // What a run has come to is told of one that is over.
  const run = exitCode === 0 ? null : runResult(text(TYPE_STATUS_PROPERTIES.result) ?? "", exitCode, exitStatus, 1);
  const since = number(STATUS_PROPERTIES.stateChanged);
  return without({
    unit,
    description: text(STATUS_PROPERTIES.description),
    loadState: text(STATUS_PROPERTIES.loadState),
    activeState: text(STATUS_PROPERTIES.activeState),
    subState: text(STATUS_PROPERTIES.subState),
    sinceUs: since === 0 ? undefined : since,
    unitFileState: text(STATUS_PROPERTIES.unitFileState),
    fragmentPath: text(STATUS_PROPERTIES.fragmentPath),
    dropIns: list(STATUS_PROPERTIES.dropIns),
    triggeredBy: list(STATUS_PROPERTIES.triggeredBy),
    triggers: list(STATUS_PROPERTIES.triggers),
    result: text(TYPE_STATUS_PROPERTIES.result),
    exitStatus: run?.exitStatus ?? undefined,
    exitSignal: run?.exitSignal ?? undefined,
    restarts,
    statusText: text(TYPE_STATUS_PROPERTIES.statusText),
    mainPid: mainPid === 0 ? undefined : mainPid,
    tasksMax: number(TYPE_STATUS_PROPERTIES.tasksMax),
    memoryPeakBytes: number(TYPE_STATUS_PROPERTIES.memoryPeakBytes),
    controlGroup: text(TYPE_STATUS_PROPERTIES.controlGroup),
    processes: processes.map(({ pid, command, controlGroup }) => ({ pid, command, controlGroup })),
  });
}

type Sparse<T> = { readonly [K in keyof T]: T[K] | undefined };

/** An object without the members that are undefined: a field of the contract that is not set is absent. */
function without(status: Sparse<UnitStatus>): UnitStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined)) as unknown as UnitStatus;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Processes; none where systemd has no control group of the unit. */
async function processesOf(details: UnitDetails, unit: string): Promise<readonly UnitProcessRow[]> {
  return details.processes(unit).catch(() => []);
}

async function nameOf(pid: number): Promise<{ readonly mainProcess?: string }> {
  if (pid === 0) return {};
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => null);
  return name === null ? {} : { mainProcess: name.trim() };
}

/**
 * The last entries of a unit's journal, oldest first, as journalctl prints them: the newest of them where they are too
 * large. Where they can't be had, as on a machine without a journal: none, for the rest of a status stands without them.
 */
async function lastEntries(
  unit: string,
  lines: number,
  signal: AbortSignal,
  options: JournalOptions,
): Promise<Uint8Array> {
  if (lines === 0) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const { journal } of printJournal({ units: [unit], lines }, signal, options)) {
      if (journal === undefined) continue;
      chunks.push(journal.json);
      size += journal.json.length;
      // One chunk more than is wanted tells where the first whole line begins.
      for (let first = chunks[0]; first !== undefined && size - first.length > MOST_JOURNAL_BYTES; first = chunks[0]) {
        chunks.shift();
        size -= first.length;
      }
    }
  } catch (error) {
    if (!(error instanceof RefusedQuestion || isFromSystem(error))) throw error;
  }
  return lastLines(Buffer.concat(chunks), MOST_JOURNAL_BYTES);
}

/** The last whole lines of a text, of at most so many bytes together. */
function lastLines(text: Buffer, most: number): Buffer {
  if (text.length <= most) return text;
  const end = text.indexOf(LINE_FEED, text.length - most - 1);
  return end < 0 ? Buffer.alloc(0) : text.subarray(end + 1);
}

/** Whether an error is one of the operating system's, as where there is no journalctl. */
function isFromSystem(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

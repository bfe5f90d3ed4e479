import type { FromSchema, JSONSchema } from "json-schema-to-ts";
import type { Known } from "./known.ts";

const UNIT = { type: "string", description: "Name of the unit, with its type." } as const;
const MACHINE = { type: "string", description: "ID of the machine." } as const;
const HOSTNAME = { type: "string", description: "Its host name; absent where that is not known." } as const;
const UNAVAILABLE = {
  type: "string",
  description: "Why the machine gave no answer; then nothing else of it is there.",
} as const;
const bytes = (description: string) => ({ type: "integer", description: `${description}, in bytes.` }) as const;

const JOURNAL_ENTRY = {
  type: "object",
  description: "One entry of a machine's journal.",
  properties: {
    unit: UNIT,
    machineID: MACHINE,
    hostname: HOSTNAME,
    cursor: { type: "string", description: "Its place in that machine's journal." },
    timestamp: { type: "string", format: "date-time", description: "When it was written, with microseconds." },
    priority: { type: "integer", minimum: 0, maximum: 7, description: "As syslog has it: 3 is an error." },
    identifier: { type: "string", description: "Who wrote it: SYSLOG_IDENTIFIER." },
    pid: { type: "integer" },
    message: { type: "string", description: "Its text; bytes that are not UTF-8 are replaced." },
    fields: {
      type: "object",
      description: "Every field, as `journalctl -o json` prints them; there where they were asked for.",
      additionalProperties: true,
    },
  },
  required: ["unit", "machineID", "cursor", "timestamp", "message"],
} as const satisfies JSONSchema;

/** Every kind of note in a stream of the journal, with what it means. */
export const JOURNAL_NOTE_KINDS = {
  moved: "the unit is on another machine from here on",
  restarted: "the unit was started anew",
  ended: "the unit is not up any more",
  destroyed: "the unit was removed from the cluster",
  "machine-away": "the machine does not answer; it is taken up again when it is back",
  "machine-back": "the machine answers again, and goes on after its last entry",
  "machine-error": "the machine can't give its journal",
  "clock-off": "the machine's clock is not that of the API: its entries stand where its own clock puts them",
  "left-out": "entries are missing here, for they are too large",
  "cut-off": "the stream ends here: the reader was too slow, or the API stops",
} as const;

/** The kind of a note in a stream of the journal. */
export type JournalNoteKind = keyof typeof JOURNAL_NOTE_KINDS;

const texts = (description: string) =>
  ({ type: "array", items: { type: "string" }, description }) as const satisfies JSONSchema;

const JOURNAL_QUERY = {
  type: "object",
  description: "What to read of journals: the parameters of Journal.Read, which may be too long for a URL.",
  properties: {
    unit: texts("Names of units, or globs."),
    machine: texts("Only of these machines, by ID."),
    lines: {
      anyOf: [
        { type: "integer", minimum: 0 },
        { type: "string", enum: ["all"] },
      ],
      description: "How many of the latest entries, or all; 10 by default.",
    },
    since: { type: "string" },
    until: { type: "string" },
    priority: { type: "string" },
    grep: { type: "string" },
    follow: { type: "boolean", description: "False by default." },
    after: texts("<machine ID>:<cursor>: of this machine only what comes after that entry."),
    fields: { type: "string", enum: ["all"] },
  },
  required: ["unit"],
} as const satisfies JSONSchema;

const JOURNAL_NOTE = {
  type: "object",
  description: "Something that happened to what is read.",
  properties: {
    kind: { type: "string", enum: Object.keys(JOURNAL_NOTE_KINDS) as JournalNoteKind[] },
    unit: UNIT,
    machineID: MACHINE,
    text: { type: "string", description: "One sentence." },
  },
  required: ["kind", "text"],
} as const satisfies JSONSchema;

const JOURNAL_END = {
  type: "object",
  description: "The end of a stream that is whole.",
  properties: {
    units: {
      type: "array",
      items: {
        type: "object",
        properties: { unit: UNIT, how: { type: "string", description: "How it ended, in a few words." } },
        required: ["unit", "how"],
      },
    },
  },
  required: ["units"],
} as const satisfies JSONSchema;

const JOURNAL_ITEM = {
  type: "object",
  description: "One line of the journal as newline-delimited JSON: one of these members.",
  properties: { entry: JOURNAL_ENTRY, note: JOURNAL_NOTE, end: JOURNAL_END },
} as const satisfies JSONSchema;

const PROCESS = {
  type: "object",
  properties: {
    pid: { type: "integer" },
    command: { type: "string" },
    controlGroup: { type: "string", description: "Its control group, from the root." },
  },
  required: ["pid", "command"],
} as const satisfies JSONSchema;

const UNIT_NAMES = { type: "array", items: { type: "string" } } as const;

const UNIT_STATUS = {
  type: "object",
  description: "A unit as the systemd of one machine has it. What systemd does not account is absent.",
  properties: {
    unit: UNIT,
    machineID: MACHINE,
    hostname: HOSTNAME,
    error: UNAVAILABLE,
    description: { type: "string" },
    loadState: { type: "string", description: "systemd's word: loaded, not-found, masked …" },
    activeState: { type: "string", description: "systemd's word: active, inactive, failed …" },
    subState: { type: "string", description: "systemd's word: running, dead, exited …" },
    since: { type: "string", format: "date-time", description: "Since when it is in that state." },
    unitFileState: { type: "string", description: "systemd's word: enabled-runtime, static …" },
    fragmentPath: { type: "string" },
    dropIns: { type: "array", items: { type: "string" }, description: "Paths of files that add to it." },
    triggeredBy: { ...UNIT_NAMES, description: "Units that start it: timers, sockets, paths." },
    triggers: { ...UNIT_NAMES, description: "Units that it starts." },
    result: { type: "string", description: "How its last run ended: success, exit-code, signal …" },
    exitStatus: { type: "integer" },
    exitSignal: { type: "string", description: "As in SIGKILL." },
    restarts: { type: "integer", description: "How often systemd has restarted it by itself." },
    statusText: { type: "string", description: "What it says of itself by sd_notify." },
    mainPID: { type: "integer" },
    mainProcess: { type: "string", description: "The name of the main process." },
    tasks: { type: "integer" },
    tasksMax: { type: "integer", description: "Absent: without limit." },
    memoryBytes: bytes("What its processes use"),
    memoryPeakBytes: bytes("The most that they have used"),
    cpuMs: { type: "number", description: "CPU time that it has used, in milliseconds." },
    ioReadBytes: bytes("What it has read from disks"),
    ioWriteBytes: bytes("What it has written to disks"),
    controlGroup: { type: "string" },
    processes: { type: "array", items: PROCESS },
    journal: { type: "array", items: JOURNAL_ENTRY, description: "Its last entries, oldest first." },
  },
  required: ["unit", "machineID"],
} as const satisfies JSONSchema;

const UNIT_STATUSES = {
  type: "object",
  description: "A unit on each machine that has it, or had it last.",
  properties: { units: { type: "array", items: UNIT_STATUS } },
  required: ["units"],
} as const satisfies JSONSchema;

const percent = (description: string) => ({ type: "number", description: `${description}, in per cent.` }) as const;
const PRESSURE = {
  type: "object",
  description: "Part of the last ten seconds in which tasks waited.",
  properties: { some10: percent("When at least one did"), full10: percent("When all did") },
  required: ["some10"],
} as const satisfies JSONSchema;

const UNIT_USAGE = {
  type: "object",
  description: "What a unit uses. What systemd does not account is absent.",
  properties: {
    name: UNIT,
    active: { type: "string", description: "systemd's active state." },
    sub: { type: "string", description: "systemd's sub state." },
    cpuMs: { type: "number", description: "CPU time since its start, in milliseconds." },
    memoryBytes: bytes("Memory"),
    tasks: { type: "integer" },
    ioReadBytes: bytes("What it has read from disks since its start"),
    ioWriteBytes: bytes("What it has written to disks since its start"),
  },
  required: ["name", "active", "sub"],
} as const satisfies JSONSchema;

const USAGE_SAMPLE = {
  type: "object",
  description: "What a machine and fleet's units there use, at one moment. Rates are made of two samples.",
  properties: {
    machineID: MACHINE,
    hostname: HOSTNAME,
    error: UNAVAILABLE,
    at: { type: "string", format: "date-time", description: "When it was taken, by the machine's clock." },
    monotonicMs: { type: "number", description: "The same on the machine's monotonic clock, in milliseconds." },
    uptimeSeconds: { type: "number" },
    cpus: { type: "integer", description: "How many CPUs it has." },
    load: { type: "array", items: { type: "number" }, description: "Load over 1, 5 and 15 minutes." },
    cpuBusyMs: { type: "number", description: "Time that all CPUs were busy since its start, in milliseconds." },
    memory: {
      type: "object",
      properties: {
        totalBytes: bytes("Memory"),
        availableBytes: bytes("Memory that programs could have"),
        swapTotalBytes: bytes("Swap"),
        swapFreeBytes: bytes("Swap that is free"),
      },
      required: ["totalBytes", "availableBytes", "swapTotalBytes", "swapFreeBytes"],
    },
    pressure: {
      type: "object",
      description: "Pressure stall information; absent where the kernel has none.",
      properties: { cpu: PRESSURE, memory: PRESSURE, io: PRESSURE },
    },
    units: { type: "array", items: UNIT_USAGE },
  },
  required: ["machineID"],
} as const satisfies JSONSchema;

const USAGE = {
  type: "object",
  description: "One sample of each machine.",
  properties: { machines: { type: "array", items: USAGE_SAMPLE } },
  required: ["machines"],
} as const satisfies JSONSchema;

/** Schemas of what agents answer over the link, by their names in the documents that describe the API. */
export const LINK_SCHEMAS = {
  JournalEntry: JOURNAL_ENTRY,
  JournalQuery: JOURNAL_QUERY,
  JournalNote: JOURNAL_NOTE,
  JournalEnd: JOURNAL_END,
  JournalItem: JOURNAL_ITEM,
  UnitStatus: UNIT_STATUS,
  UnitStatuses: UNIT_STATUSES,
  UnitUsage: UNIT_USAGE,
  UsageSample: USAGE_SAMPLE,
  Usage: USAGE,
} as const;

/** Fields of an entry as journalctl prints them in JSON: text, bytes, several values, or null for what is too large. */
export type JournalFields = Readonly<Record<string, string | readonly (string | number)[] | null>>;
export type JournalEntry = Omit<Known<FromSchema<typeof JOURNAL_ENTRY>>, "fields"> & {
  readonly fields?: JournalFields;
};
/** What to read of journals, as a request says it. */
export type JournalParameters = Known<FromSchema<typeof JOURNAL_QUERY>>;
export type JournalNote = Known<FromSchema<typeof JOURNAL_NOTE>>;
export type JournalEnd = Known<FromSchema<typeof JOURNAL_END>>;
export type UnitStatus = Omit<Known<FromSchema<typeof UNIT_STATUS>>, "journal"> & {
  readonly journal?: readonly JournalEntry[];
};
export type UnitUsage = Known<FromSchema<typeof UNIT_USAGE>>;
export type UsageSample = Known<FromSchema<typeof USAGE_SAMPLE>>;

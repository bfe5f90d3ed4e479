// The messages of link.proto as they are handled here: an optional field that is not set is absent.

/** What the API asks; exactly one member. An agent of another version may see none that it knows. */
export interface Question {
  readonly journal?: JournalQuestion;
  readonly status?: StatusQuestion;
  readonly usage?: UsageQuestion;
}

/** The verbs of the link. */
export type VerbName = keyof Question;

/** Which entries of the journals of which units. */
export interface JournalQuestion {
  /** Exact names. */
  readonly units: readonly string[];
  /** The latest entries only; absent: all. */
  readonly lines?: number;
  /** As journalctl takes them, as are `until`, `priority` and `grep`. */
  readonly since?: string;
  readonly until?: string;
  readonly priority?: string;
  readonly grep?: string;
  readonly follow?: boolean;
  /** A cursor: only what comes after it; `lines` and `since` are then left out. */
  readonly after?: string;
  /** Of these units also what came before that cursor, since fleet loaded them on the machine. */
  readonly arrived?: readonly string[];
  readonly allFields?: boolean;
}

/** Part of what `journalctl --output=json` prints: a line may go on in the next chunk. */
export interface JournalChunk {
  readonly json: Uint8Array;
  /** In the first chunk: what the machine's clock says, in milliseconds since 1970; an older agent does not say it. */
  readonly timeMs?: number;
}

/** Units to tell the status of. */
export interface StatusQuestion {
  readonly units: readonly string[];
  /** How many of the latest entries of the journal. */
  readonly lines: number;
}

/** A unit as systemd has it; what systemd does not tell is absent. */
export interface UnitStatus {
  readonly unit: string;
  readonly description?: string;
  readonly loadState?: string;
  readonly activeState?: string;
  readonly subState?: string;
  /** Since when it is in that state: microseconds since 1970 by the machine's clock. */
  readonly sinceUs?: number;
  readonly unitFileState?: string;
  readonly fragmentPath?: string;
  readonly dropIns?: readonly string[];
  readonly triggeredBy?: readonly string[];
  readonly triggers?: readonly string[];
  readonly result?: string;
  readonly exitStatus?: number;
  readonly exitSignal?: string;
  readonly restarts?: number;
  readonly statusText?: string;
  readonly mainPid?: number;
  readonly mainProcess?: string;
  readonly tasks?: number;
  /** Absent: without limit. */
  readonly tasksMax?: number;
  readonly memoryBytes?: number;
  readonly memoryPeakBytes?: number;
  readonly cpuMs?: number;
  readonly ioReadBytes?: number;
  readonly ioWriteBytes?: number;
  readonly controlGroup?: string;
  readonly processes?: readonly UnitProcess[];
  /** The latest entries, as in a JournalChunk. */
  readonly journal?: Uint8Array;
}

/** A process of a unit. */
export interface UnitProcess {
  readonly pid: number;
  readonly command: string;
  readonly controlGroup: string;
}

/** Samples, so many milliseconds apart; count 0: until the stream is closed. */
export interface UsageQuestion {
  readonly intervalMs: number;
  readonly count: number;
}

/** What a machine and fleet's units there use. CPU times are counters. */
export interface UsageSample {
  /** By the machine's clock, in milliseconds since 1970. */
  readonly atMs: number;
  /** The same moment on its monotonic clock. */
  readonly monotonicMs: number;
  readonly uptimeSeconds: number;
  readonly cpus: number;
  /** Over 1, 5 and 15 minutes. */
  readonly load: readonly number[];
  readonly cpuBusyMs: number;
  readonly memory: MemoryUsage;
  /** Absent where the kernel has none. */
  readonly cpuPressure?: Pressure;
  readonly memoryPressure?: Pressure;
  readonly ioPressure?: Pressure;
  readonly units: readonly UnitUsage[];
}

/** A machine's memory, in bytes. */
export interface MemoryUsage {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
}

/** Per cent of the last ten seconds in which some, or all, tasks waited. */
export interface Pressure {
  readonly some10: number;
  readonly full10?: number;
}

/** What a unit uses; what systemd does not account is absent. */
export interface UnitUsage {
  readonly name: string;
  readonly active: string;
  readonly sub: string;
  readonly cpuMs?: number;
  readonly memoryBytes?: number;
  readonly tasks?: number;
  readonly ioReadBytes?: number;
  readonly ioWriteBytes?: number;
}

/** One message of an agent's answer; exactly one member. */
export interface Answer {
  readonly journal?: JournalChunk;
  readonly status?: UnitStatus;
  readonly usage?: UsageSample;
}

/** Why an agent does not answer, or no further. */
export type FailureCode = "FAILED" | "BUSY" | "UNKNOWN_VERB" | "REFUSED";

/** What an agent sends; exactly one member. */
export interface FromAgent extends Answer {
  readonly hello?: {
    readonly call: string;
    readonly machineId: string;
    readonly secret: Uint8Array;
    readonly version: number;
  };
  readonly end?: Record<string, never>;
  readonly failure?: { readonly code: FailureCode; readonly text: string };
}

/** What an API sends. */
export interface FromApi {
  readonly question?: Question;
}

import { writeSync } from "node:fs";
import type { Config } from "@fleet/config";
import { type Logger, pino } from "pino";
import { readableLines } from "./log-line.ts";

/** What of the configuration a log goes by. */
export type LogConfig = Pick<Config, "verbosity" | "logFormat">;

/** syslog priorities, by pino's level. */
const PRIORITY: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };

const WARN = 40;
const MOST_CHARACTERS = 16_384;

/**
 * A buffer before standard output. Lines of one turn of the event loop are written together: an engine that places
 * thousands of units a second logs a line for each. Warnings and errors are written at once.
 */
class Lines {
  #waiting = "";

  constructor() {
    process.once("exit", () => this.#flush());
  }

  add(line: string, isUrgent: boolean): void {
    if (this.#waiting === "" && !isUrgent) setImmediate(() => this.#flush());
    this.#waiting += line;
    if (isUrgent || this.#waiting.length >= MOST_CHARACTERS) this.#flush();
  }

  #flush(): void {
    const text = this.#waiting;
    if (text === "") return;
    this.#waiting = "";
    try {
      writeSync(1, text);
    } catch (error) {
      // A full pipe or a reader that went away must not end the daemon.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN" && code !== "EPIPE") throw error;
    }
  }
}

/**
 * The daemon's log on standard output: a JSON object a line, or text. On a journal each line has its priority in front,
 * by which the journal tells warnings from the rest. (The journal's own protocol, which has fields, takes datagrams on a
 * UNIX socket: Node can't send them.)
 */
export function createLog({ verbosity, logFormat }: LogConfig, env: NodeJS.ProcessEnv): Logger {
  const isJournal = env.JOURNAL_STREAM !== undefined;
  const isText = logFormat === "text" || (logFormat === "auto" && isJournal);
  const lines = new Lines();
  const stream = {
    // This member has pino set lastLevel before each write.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 30,
    write(line: string): void {
      const prefix = isJournal ? `<${PRIORITY[this.lastLevel] ?? 6}>` : "";
      const shown = isText ? readableLines(line) : [line.trimEnd()];
      lines.add(shown.map((text) => `${prefix}${text}\n`).join(""), this.lastLevel >= WARN);
    },
  };
  return pino(
    {
      level: levelOf(verbosity),
      base: null,
      timestamp: isJournal ? false : isoTime(),
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}

/**
 * pino's isoTime, made once for each millisecond. An engine logs ten lines in one; a time for each would be a fortieth
 * of its work.
 */
function isoTime(): () => string {
  let at = 0;
  let text = "";
  return () => {
    const now = Date.now();
    if (now !== at) {
      at = now;
      text = pino.stdTimeFunctions.isoTime();
    }
    return text;
  };
}

/** The log level for option verbosity. */
export function levelOf(verbosity: number): "debug" | "info" {
  return verbosity > 0 ? "debug" : "info";
}

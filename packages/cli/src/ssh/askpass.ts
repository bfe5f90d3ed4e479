import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { terminalText } from "@fleet/domain/text";

const MARK = "FLEETCTL_ASKPASS";
/** How long a question may wait for its answer. */
const ANSWER_MS = 120_000;
const USERS_OWN = "FLEETCTL_USERS_ASKPASS";

/**
 * Environment that has ssh put its questions to this program, started once more, instead of to a terminal: so the
 * question whether to trust a new host takes its answer from standard input also where that is a pipe.
 */
export function askpassEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    SSH_ASKPASS: isStandalone() ? process.execPath : process.argv[1],
    SSH_ASKPASS_REQUIRE: "force",
    [MARK]: "1",
    ...(env.SSH_ASKPASS === undefined ? {} : { [USERS_OWN]: env.SSH_ASKPASS }),
  };
}

/** Whether ssh has started this program to ask a question. */
export function isAskedBySsh(env: NodeJS.ProcessEnv): boolean {
  return env[MARK] === "1";
}

/** Answers ssh's question on standard output. Returns the exit code: other than 0 is no answer. */
export function answer(question: string, env: NodeJS.ProcessEnv): number {
  if (/\(yes\/no/i.test(question) || /type 'yes'/i.test(question)) {
    process.stderr.write(terminalText(question));
    const typed = readAnswer();
    process.stderr.write("\n");
    process.stdout.write(`${/^y(es)?$/i.test(typed) ? "yes" : typed}\n`);
    return typed === "" ? 1 : 0;
  }
  const own = env[USERS_OWN];
  if (own !== undefined && own !== "") {
    return spawnSync(own, [question], { stdio: "inherit", env: { ...env, [MARK]: undefined } }).status ?? 1;
  }
  return askTerminal(question);
}

/**
 * Reads standard input up to a line's end, its own end, or a whole `yes` or `no`: scripts pipe `yes` in without a newline
 * and may keep the pipe open. Not a byte more is taken, for the rest is the remote command's.
 */
function readAnswer(): string {
  const byte = Buffer.alloc(1);
  const endsAt = performance.now() + ANSWER_MS;
  let text = "";
  while (text.length < 200) {
    const count = readByte(byte, endsAt);
    if (count === 0 || byte[0] === 0x0a) break;
    text += byte.toString("latin1");
    if (/^\s*(yes|no)$/i.test(text)) break;
  }
  return text.trim();
}

function readByte(byte: Buffer, endsAt: number): number {
  while (performance.now() < endsAt) {
    try {
      return readSync(0, byte, 0, 1, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return 0;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); // a pipe that does not block: nothing is there yet
    }
  }
  return 0;
}

/** A password, from the terminal, unseen. */
function askTerminal(question: string): number {
  let terminal: number;
  try {
    terminal = openSync("/dev/tty", "r+");
  } catch {
    process.stderr.write(`ssh asks ${JSON.stringify(question)}, but there is no terminal to answer at: use a key.\n`);
    return 1;
  }
  const stty = (mode: string): void => void spawnSync("stty", [mode], { stdio: [terminal, "ignore", "ignore"] });
  const byte = Buffer.alloc(1);
  let text = "";
  stty("-echo");
  try {
    process.stderr.write(terminalText(question));
    while (readSync(terminal, byte, 0, 1, null) > 0 && byte[0] !== 0x0a) text += byte.toString("latin1");
  } finally {
    stty("echo");
    process.stderr.write("\n");
    closeSync(terminal);
  }
  process.stdout.write(Buffer.from(`${text}\n`, "latin1"));
  return 0;
}

/** A single executable has the runtime inside; else this program is a script that the runtime runs. */
function isStandalone(): boolean {
  return process.argv[1] === undefined || process.argv[1] === process.execPath || !/\.[cm]?js$/.test(process.argv[1]);
}

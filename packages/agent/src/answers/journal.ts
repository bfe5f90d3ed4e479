import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type Answer, CHUNK_BYTES, type JournalQuestion, RefusedQuestion } from "@fleet/link";
import { isNewestFirst, journalArguments } from "./journal-command.ts";
import type { OwnUnits } from "./own-units.ts";

/** Where journals are read. */
export interface JournalOptions {
  /** journalctl, and arguments before those of a question. */
  readonly command: readonly string[];
  readonly isUser: boolean;
  readonly unitsDirectory: string;
  readonly units: OwnUnits;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** Most bytes of journalctl's complaints that are kept. */
const MOST_COMPLAINT = 2_000;
/** Most bytes of a journal that has to be turned around: journalctl prints the newest entry first where it searches. */
const MOST_TURNED = 8 * 1024 * 1024;
/** What a stream that was cut for the arrival of units may not have sent yet is no older. */
const MARGIN_MS = 1_000;
/** Cursors are some hundred characters of this kind. */
const CURSOR = /^[a-z]=[0-9a-f]+(?:;[a-z]=[0-9a-f]+){1,10}$/;

/**
 * The journals of fleet's units on this machine, as one journalctl prints them. It is read no faster than it is sent.
 *
 * @throws RefusedQuestion
 */
export async function* readJournal(
  question: JournalQuestion,
  signal: AbortSignal,
  options: JournalOptions,
): AsyncGenerator<Answer, void> {
  const { units, after, arrived = [] } = question;
  if (units.length + arrived.length === 0) throw new RefusedQuestion("the question names no unit");
  if (after !== undefined && !CURSOR.test(after)) throw new RefusedQuestion(`${JSON.stringify(after)} is no cursor`);
  await options.units.check([...units, ...arrived]);
  if (signal.aborted) return;
  yield* printJournal(question, signal, options);
}

/**
 * The same of units that were checked to be fleet's.
 *
 * @throws RefusedQuestion where journalctl complains
 */
export async function* printJournal(
  question: JournalQuestion,
  signal: AbortSignal,
  options: Omit<JournalOptions, "units">,
): AsyncGenerator<Answer, void> {
  const { arrived = [] } = question;
  const arrivedMs = arrived.length === 0 ? null : await loadedAt(arrived, options.unitsDirectory);
  if (signal.aborted) return;
  // Says that the machine answers, also where there is nothing to tell yet.
  yield { journal: { json: new Uint8Array(), timeMs: Date.now() } };
  const chunks = printed(journalArguments(question, { arrivedMs, isUser: options.isUser }), signal, options.command);
  if (isNewestFirst(question)) yield* turned(chunks);
  else for await (const json of chunks) yield { journal: { json } };
}

/** When fleet loaded the first of some units here, in milliseconds: now where it has loaded none yet. */
async function loadedAt(names: readonly string[], folder: string): Promise<number> {
  const now = Date.now();
  const times = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => now,
      ),
    ),
  );
  return Math.floor(Math.min(...times)) - MARGIN_MS;
}

/** What journalctl prints, in chunks. It ends at once when the signal aborts. */
async function* printed(
  args: readonly string[],
  signal: AbortSignal,
  [program = "journalctl", ...first]: readonly string[],
): AsyncGenerator<Buffer, void> {
  const child: Child = spawn(program, [...first, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close");
  ended.catch(() => undefined);
  // Where its pipe is full it would not hear of a gentler signal.
  const kill = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (complaint.length < MOST_COMPLAINT) complaint += text;
  });
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>)
      for (let at = 0; at < chunk.length; at += CHUNK_BYTES) yield chunk.subarray(at, at + CHUNK_BYTES);
    const [code] = (await ended) as [number | null];
    if (code !== 0 && !signal.aborted && complaint !== "")
      throw new RefusedQuestion(complaint.trim().split("\n", 1)[0] ?? "");
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
  }
}

/** The same lines in the order in which they were written. */
async function* turned(chunks: AsyncIterable<Buffer>): AsyncGenerator<Answer, void> {
  const kept: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    kept.push(chunk);
    size += chunk.length;
    if (size > MOST_TURNED)
      throw new RefusedQuestion(`more than ${MOST_TURNED / 1024 / 1024} MiB match: ask for fewer lines, or a time`);
  }
  const lines = Buffer.concat(kept)
    .toString()
    .split("\n")
    .filter((line) => line !== "");
  for (const line of lines.reverse()) {
    const bytes = Buffer.from(`${line}\n`);
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES)
      yield { journal: { json: bytes.subarray(at, at + CHUNK_BYTES) } };
  }
}

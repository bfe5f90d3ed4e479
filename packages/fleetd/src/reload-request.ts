import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What came of a reload. */
export interface ReloadOutcome {
  /** Why the configuration was refused; null: it was taken over. */
  readonly refusal: string | null;
  /** What of it is not in force yet, as a sentence; null: nothing. */
  readonly pending: string | null;
}

/** The same as the daemon leaves it for who has asked. One of an older version knows of nothing pending. */
type Answer = { readonly request: string } & Pick<ReloadOutcome, "refusal"> & Partial<ReloadOutcome>;

const REQUEST = "reload-request";
const ANSWER = "reload-answer";
const POLL_MS = 20;
/** How long a daemon has to read its configuration anew. systemd gives an ExecReload= 90 s. */
const ANSWER_MS = 20_000;

/**
 * Has a daemon read its configuration anew, and waits for what comes of it. A signal carries no answer, so both sides
 * use files in the directory that systemd gives a unit and its ExecReload= alike.
 *
 * @param directory as of `runtimeDirectory`
 * @param send sends the daemon its signal
 * @throws Error where the daemon can't be asked, or does not answer in time
 */
export async function requestReload(
  directory: string,
  send: () => void,
  timeoutMs: number = ANSWER_MS,
): Promise<ReloadOutcome> {
  const request = randomUUID();
  write(directory, REQUEST, request);
  send();
  const giveUpAt = performance.now() + timeoutMs;
  while (performance.now() < giveUpAt) {
    const text = read(directory, ANSWER);
    const answer = text === null ? null : (JSON.parse(text) as Answer);
    if (answer?.request === request) return { refusal: answer.refusal, pending: answer.pending ?? null };
    await sleep(POLL_MS);
  }
  throw new Error(`the daemon did not say within ${timeoutMs / 1000} s what came of the reload: see its log`);
}

/** The request that a daemon is to answer; null: nobody waits. To be read before the configuration is. */
export function pendingRequest(directory: string): string | null {
  return read(directory, REQUEST);
}

/** Leaves what came of a reload for who has asked. */
export function answerReload(directory: string, answer: Answer): void {
  write(directory, ANSWER, JSON.stringify(answer));
}

/** The unit's RuntimeDirectory=, the first one where it has several; null: systemd has given none. */
export function runtimeDirectory(env: NodeJS.ProcessEnv): string | null {
  return env.RUNTIME_DIRECTORY?.split(":")[0] || null;
}

function read(directory: string, name: string): string | null {
  try {
    return readFileSync(join(directory, name), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return null;
  }
}

/** Writes a file that is never seen in part. */
function write(directory: string, name: string, text: string): void {
  const path = join(directory, name);
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

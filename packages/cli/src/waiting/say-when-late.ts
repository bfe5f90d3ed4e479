import type { Context } from "../context.ts";

/** A look that takes longer than this says what it waits for. */
const LATE_MS = 3_000;

/**
 * Waits for something that is mostly there at once; says on standard error what is waited for where it is not.
 *
 * @param what as in "the machine h2 to answer, 10 s at most"
 */
export async function sayWhenLate<T>(
  context: Pick<Context, "err">,
  work: Promise<T>,
  what: string,
  lateMs = LATE_MS,
): Promise<T> {
  const late = setTimeout(() => context.err(`waiting for ${what}`), lateMs);
  try {
    return await work;
  } finally {
    clearTimeout(late);
  }
}

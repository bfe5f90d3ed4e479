import pMap from "p-map";

/** Requests that are on their way at a time. */
const MOST = 32;

/** Does the same with each, some at a time. Once all have ended the failure of the first item that failed is thrown. */
export async function concurrently<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const attempt = async (item: T): Promise<{ readonly cause: unknown } | null> => {
    try {
      await work(item);
      return null;
    } catch (cause) {
      return { cause };
    }
  };
  const failures = await pMap(items, attempt, { concurrency: MOST });
  const first = failures.find((failure) => failure !== null);
  if (first != null) throw first.cause;
}

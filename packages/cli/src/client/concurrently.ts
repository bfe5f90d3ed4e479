import pLimit from "p-limit";

/** Requests that are on their way at a time. */
const MOST = 32;

/** Does the same with each, some at a time. Once all have ended the failure of the first item that failed is thrown. */
export async function concurrently<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const limit = pLimit(MOST);
  const results = await Promise.allSettled(items.map((item) => limit(work, item)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

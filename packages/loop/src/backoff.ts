/**
 * How long to wait before the next try: doubling from 50 ms to 5 s, with half of it left to chance so that many clients
 * don't come back at once.
 *
 * @param failures how many tries in a row have failed before this one
 */
export function backoff(failures: number): number {
  const most = Math.min(50 * 2 ** Math.min(failures, 10), 5000);
  return most / 2 + (Math.random() * most) / 2;
}

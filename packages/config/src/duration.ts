const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const WHOLE = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/**
 * Reads a duration as Go writes it: `30s`, `1m30s`, `1.5h`, `500ms`, `0`.
 *
 * @param text the duration; a unit is needed on every part, only a plain `0` goes without
 * @returns milliseconds, possibly fractional or negative; null where the text is not a duration
 * @see https://pkg.go.dev/time#ParseDuration
 */
export function parseDuration(text: string): number | null {
  if (/^[+-]?0$/.test(text)) return 0;
  if (text.length > 64 || !WHOLE.test(text)) return null;
  let milliseconds = 0;
  for (const [, amount, unit] of text.matchAll(PART)) {
    milliseconds += Number(amount) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  }
  return text.startsWith("-") ? -milliseconds : milliseconds;
}

const DAY_MS = 86_400_000;

/**
 * Reads a time as RFC 3339 writes it, or a day of it: the day lasts to its end, in UTC.
 *
 * @returns milliseconds since 1970; null where the text is neither
 */
export function readInstant(text: string): number | null {
  const [, day = "", time] = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?$/i.exec(text) ?? [];
  const midnight = Date.parse(`${day}T00:00:00Z`);
  // Date.parse takes the 31st of February for a day in March.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return null;
  if (time === undefined) return midnight + DAY_MS;
  const instant = Date.parse(text.toUpperCase());
  return Number.isNaN(instant) ? null : instant;
}

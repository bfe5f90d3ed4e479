/** How far a clock may be off without a word. */
const MOST_SKEW_MS = 5_000;

/** When a machine said what time it is: our clock before it was asked and after it has answered, in milliseconds. */
export interface ClockAnswer {
  readonly askedAt: number;
  readonly heardAt: number;
  readonly machineTime: number;
}

/**
 * How far a machine's clock is ahead of ours in milliseconds, negative where it is behind. An answer may have been long on its
 * way, so it is at least so far.
 *
 * @returns null: not so far that it matters, or that can't be told
 */
export function clockSkew({ askedAt, heardAt, machineTime }: ClockAnswer): number | null {
  if (machineTime - heardAt > MOST_SKEW_MS) return machineTime - heardAt;
  if (machineTime - askedAt < -MOST_SKEW_MS) return machineTime - askedAt;
  return null;
}

/** A skew in words, as in "1 h 2 min ahead of". */
export function skewText(skewMs: number): string {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const parts = hours + minutes === 0 ? [`${seconds} s`] : [];
  if (hours > 0) parts.push(`${hours} h`);
  if (minutes > 0) parts.push(`${minutes} min`);
  return `${parts.join(" ")} ${skewMs > 0 ? "ahead of" : "behind"}`;
}

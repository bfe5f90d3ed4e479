/** The newer of two versions X.Y.Z; one that is none counts as the oldest. */
export function newer(one: string | null, other: string | null): string | null {
  return isOlder(one, other) ? other : one;
}

/** Whether a version is older than another one. Null, or what is no version, is older than every version. */
export function isOlder(one: string | null, other: string | null): boolean {
  const [a, b] = [numbers(one), numbers(other)];
  if (b === null) return false;
  if (a === null) return true;
  const index = a.findIndex((number, place) => number !== b[place]);
  return index >= 0 && (a[index] ?? 0) < (b[index] ?? 0);
}

function numbers(version: string | null): readonly number[] | null {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version ?? "");
  return match === null ? null : match.slice(1).map(Number);
}

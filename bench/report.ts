/**
 * One line of the benchmark's output. `ratio` is the cost over the floor: 1 is as good, 2 twice the cost, for rates too;
 * null where the floor is nothing.
 */
export interface Result {
  readonly bench: string;
  readonly value: number;
  readonly unit: string;
  readonly floor: number;
  readonly ratio: number | null;
  readonly goal: string;
  readonly note?: string;
}

/** Prints a result as one JSON line. */
export function report(result: Result): void {
  const rounded = (value: number): number => Number(value.toPrecision(4));
  const { value, floor, ratio, ...rest } = result;
  console.log(
    JSON.stringify({
      ...rest,
      value: rounded(value),
      floor: rounded(floor),
      ratio: ratio === null ? null : rounded(ratio),
    }),
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

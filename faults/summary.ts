import type { History } from "./history.ts";
import { sayUses, type Uses } from "./resources.ts";
import { TTL_MS } from "./target.ts";

/** Within this time after the last fault everything is to be as promised (invariant 4). */
const GOAL_MS = TTL_MS + 10_000;
/** How many of the latest entries of the history are shown where an invariant is broken. */
const SHOWN = 60;

/** How a storm went. */
export interface StormOutcome {
  readonly seed: number;
  readonly history: Pick<History, "file" | "entries" | "broken">;
  /** How often each fault was done. */
  readonly counts: ReadonlyMap<string, number>;
  /** What the daemons used at each rest. */
  readonly samples: readonly Uses[];
  /** The longest time from a last fault until all was as promised. */
  readonly slowestMs: number;
  readonly rounds: number;
  readonly tookMs: number;
}

/** What is printed of a storm at its end. */
export function summary(outcome: StormOutcome): readonly string[] {
  const { seed, history, counts, samples, slowestMs, rounds, tookMs } = outcome;
  const [first, last] = [samples[0], samples.at(-1)];
  const lines = [
    `faults: ${JSON.stringify(Object.fromEntries([...counts].sort()))}`,
    `all as promised no later than ${seconds(slowestMs)} s after the last fault (goal ${GOAL_MS / 1000} s)`,
    ...(first === undefined ? [] : [`first rest: ${sayUses(first)}`]),
    ...(last === undefined ? [] : [`last rest: ${sayUses(last)}`]),
  ];
  const [broken] = history.broken;
  if (broken === undefined) {
    const minutes = (tookMs / 60_000).toFixed(1);
    return [...lines, `seed ${seed}: ${rounds} rounds, ${minutes} minutes, every invariant held`];
  }
  return [
    ...lines,
    ...history.entries.slice(-SHOWN).map(({ at, kind, text }) => `${seconds(at)} ${kind} ${text}`),
    `seed ${seed}: invariant ${broken.invariant} is broken: ${broken.text}`,
    `The whole history is in ${history.file}`,
  ];
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

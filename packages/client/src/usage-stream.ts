import type { UsageSample } from "./description/link-schemas.ts";
import { jsonOf, openStream, readAgain, readServerSentEvents } from "./streams.ts";
import type { Transport } from "./transport.ts";

/** What to measure, and how often. */
export interface UsageQuery {
  /** IDs of machines; absent or empty: all. */
  readonly machines?: readonly string[];
  /** Milliseconds between samples of a machine. */
  readonly intervalMs: number;
  /** How many samples of each machine; 0: until the signal aborts. */
  readonly count: number;
}

/** The path of a reading of usage. */
export function usagePath(machines: readonly string[], more: Readonly<Record<string, string>> = {}): string {
  const parameters = new URLSearchParams(more);
  for (const machine of machines) parameters.append("machine", machine);
  return parameters.size === 0 ? "/usage" : `/usage?${parameters}`;
}

/** Reads samples of machines as they come. A stream without end that breaks is opened again. */
export async function* readUsage(
  transport: Transport,
  { machines = [], intervalMs, count }: UsageQuery,
  signal: AbortSignal,
): AsyncGenerator<UsageSample> {
  const path = usagePath(machines, { interval: String(intervalMs), count: String(count) });
  async function* read(): AsyncGenerator<UsageSample> {
    for await (const body of openStream(transport, { path, type: "text/event-stream" }, signal)) {
      for await (const { event, data } of readServerSentEvents(body)) {
        const value = jsonOf(data);
        if (event === "sample" && typeof value === "object" && value !== null) yield value as UsageSample;
      }
    }
  }
  if (count === 0) yield* readAgain(read, signal);
  else yield* read();
}

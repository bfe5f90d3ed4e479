import type { ClusterClient } from "./client/cluster-client.ts";
import type { GlobalFlags } from "./command-line/flag-values.ts";
import type { Ssh } from "./ssh/ssh.ts";
import type { Screen } from "./top/screen.ts";

/** What a command has to work with. */
export interface Context {
  readonly flags: GlobalFlags;
  /** The system's OpenSSH, as the flags want it. */
  readonly ssh: Ssh;
  /** What the terminal at standard output takes; null: it is none. */
  readonly terminal: { readonly hasColors: boolean } | null;
  /** Takes the whole terminal over; null: standard input and output are none. */
  readonly openScreen: (() => Screen) | null;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
  /** The ID of the machine that this runs on; null where it has none. */
  readonly localMachineID: string | null;
  /** Reads global flags as they would stand on a line of their own, over the environment. */
  flagsOf(line: Readonly<Record<string, unknown>>): GlobalFlags;
  /** Connects to the cluster; the same client each time. */
  client(): Promise<ClusterClient>;
  /** Writes a line to standard output: what is in it of others can't begin another one, nor command a terminal. */
  out(line: string): void;
  /** Writes text to standard output as it is: whoever makes it keeps what is in it of others harmless. */
  write(text: string | Uint8Array): void;
  /** Resolves when whoever reads standard output has kept up, so that what is printed does not pile up here. */
  drained(): Promise<void>;
  /** Writes a line to standard error, as `out` does. */
  err(line: string): void;
  /** Shows how far a long wait is, where somebody looks at standard error; null: it is over. */
  progress(line: string | null): void;
  /** A file's bytes; null where there is no such file. */
  readFile(path: string): Uint8Array | null;
  /** Runs a program with this one's standard streams. Returns its exit code. */
  run(command: readonly string[]): Promise<number>;
  /** The lines that a program prints, as they come; it is ended with the signal. Throws where it ends badly. */
  lines(command: readonly string[], signal: AbortSignal): AsyncIterable<string>;
  /** What a program prints; null where it is not there, fails to start, or takes too long. */
  output(command: readonly string[], timeoutMs: number): Promise<string | null>;
}

import type { FleetClient } from "./client/fleet-client.ts";

/** Global flags, after environment and defaults. */
export interface GlobalFlags {
  readonly endpoint: string;
  readonly driver: "API" | "etcd";
  readonly etcdKeyPrefix: string;
  /** In milliseconds. */
  readonly requestTimeoutMs: number;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly debug: boolean;
}

/** What a command has to work with. */
export interface Context {
  readonly flags: GlobalFlags;
  /** Connects to the cluster; the same client each time. */
  client(): Promise<FleetClient>;
  /** Writes a line to standard output. */
  out(line: string): void;
  /** Writes text to standard output as it is. */
  write(text: string): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  /** A file's bytes; null where there is no such file. */
  readFile(path: string): Uint8Array | null;
}

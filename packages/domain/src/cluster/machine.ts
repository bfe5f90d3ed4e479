import type { Metadata } from "@fleet/config";

/** A machine whose agent is there. */
export interface Machine {
  /** From /etc/machine-id: 32 hex digits. */
  readonly id: string;
  /** The published address; empty where none could be found. */
  readonly primaryIP: string;
  /** Configured metadata with the dynamic metadata laid over it. */
  readonly metadata: Metadata;
  /** The agent's fleet version. */
  readonly version: string;
  /** Absent: its agent does not tell. */
  readonly hostname?: string;
}

/** The first 8 digits of a machine ID, as a user may write it. */
export function shortMachineID(id: string): string {
  return id.slice(0, 8);
}

/** Whether a unit's MachineID means this machine: by its full ID or its 8-character short form. */
export function matchesMachineID(wanted: string, id: string): boolean {
  return wanted === id || wanted === shortMachineID(id);
}

/**
 * Configured metadata with the dynamic one laid over it.
 *
 * @param dynamic an empty value removes the key
 */
export function mergeMetadata(
  configured: Metadata,
  dynamic: ReadonlyMap<string, { readonly value: string }> | undefined,
): Metadata {
  if (dynamic === undefined || dynamic.size === 0) return configured;
  const merged: Record<string, string> = { ...configured };
  for (const [key, { value }] of dynamic) {
    if (value === "") delete merged[key];
    else merged[key] = value;
  }
  return merged;
}

/** Sets one key of a machine's dynamic metadata; an empty value removes the key, also a configured one. */
export interface MetadataChange {
  readonly machineID: string;
  readonly key: string;
  readonly value: string;
}

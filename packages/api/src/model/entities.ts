import type { LostMachine, Machine, Unit, UnitState } from "@fleet/domain/cluster";
import type { UnitOption } from "@fleet/domain/unit";

/**
 * JSON of a Unit as API v1 shows it; empty members are left out.
 *
 * @param hasEnded it is a oneshot that has ended, and is only loaded since
 */
export function unitJson(unit: Unit, optionsJson: string, hasEnded: boolean): string {
  const members = [
    `"name":${JSON.stringify(unit.name)}`,
    `"options":${optionsJson}`,
    `"desiredState":"${unit.desiredState}"`,
  ];
  // A global unit has a state on each machine; the old fleet has it inactive here.
  members.push(`"currentState":"${unit.global ? "inactive" : unit.currentState}"`);
  if (unit.machineID !== null) members.push(`"machineID":${JSON.stringify(unit.machineID)}`);
  if (hasEnded) members.push('"ended":true');
  return `{${members.join(",")}}`;
}

/** JSON of a unit's options. */
export function optionsJson(options: readonly UnitOption[]): string {
  return JSON.stringify(options.map(({ section, name, value }) => ({ section, name, value })));
}

/**
 * JSON of a UnitState as API v1 shows it, with how its last run ended where that is worth telling, and with `error` where
 * fleet could not reach the desired state.
 */
export function stateJson({ name, hash, machineID, systemd, current, run, error, unknown }: UnitState): string {
  return JSON.stringify({
    name,
    hash,
    machineID,
    systemdLoadState: systemd.load || undefined,
    systemdActiveState: systemd.active || undefined,
    systemdSubState: systemd.sub || undefined,
    currentState: current,
    systemdResult: run === null || run.result === "success" ? undefined : run.result,
    exitStatus: run?.exitStatus ?? undefined,
    exitSignal: run?.exitSignal ?? undefined,
    restarts: run?.restarts || undefined,
    error: error ?? undefined,
    unknown: unknown || undefined,
  });
}

/** JSON of a Machine as API v1 shows it. */
export function machineJson(
  { id, primaryIP, hostname, version, metadata }: Machine,
  cordon: { readonly drain: boolean } | null,
): string {
  const entries = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    id,
    primaryIP: primaryIP || undefined,
    hostname: hostname || undefined,
    version: version || undefined,
    metadata: entries.length > 0 ? Object.fromEntries(entries) : undefined,
    state: cordon === null ? undefined : cordon.drain ? "draining" : "cordoned",
  });
}

/** JSON of a machine that went away and is not forgotten. */
export function lostMachineJson({ id, primaryIP, hostname, since }: LostMachine): string {
  return JSON.stringify({
    id,
    primaryIP: primaryIP || undefined,
    hostname: hostname || undefined,
    state: "lost",
    since: since ?? undefined,
  });
}

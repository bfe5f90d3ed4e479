import type { RollProgress, RollRecord, RollStatus, UnitPhase } from "./records.ts";

/** A roll as it is told to people and tools; times are in seconds, hashes those of files. */
export interface ToldRoll {
  readonly id: string;
  readonly kind: RollRecord["kind"];
  readonly status: RollStatus;
  readonly why?: string;
  readonly maxUnavailable: number;
  readonly pauseSeconds: number;
  readonly settleSeconds: number;
  readonly canary?: number;
  readonly onFailure: RollRecord["onFailure"];
  readonly time: string;
  readonly by?: string;
  readonly message?: string;
  readonly units: readonly {
    readonly name: string;
    readonly phase: UnitPhase;
    readonly why?: string;
    readonly from: string;
    readonly to: string;
  }[];
}

/** Tells how far a roll is. */
export function tellRoll(id: string, roll: RollRecord, progress: RollProgress): ToldRoll {
  const { kind, maxUnavailable, pauseMs, settleMs, canary, onFailure, at, by, message } = roll;
  const { status, why, phases, reasons } = progress;
  return {
    ...{ id, kind, status, ...(why === null ? {} : { why }) },
    ...{ maxUnavailable, pauseSeconds: pauseMs / 1_000, settleSeconds: settleMs / 1_000 },
    ...{ ...(canary === null ? {} : { canary }), onFailure, time: at },
    ...(by === null ? {} : { by }),
    ...(message === null ? {} : { message }),
    units: roll.units.map(({ name, from, to }, index) => {
      const reason = reasons[name];
      const phase = phases[index] ?? "waiting";
      return { name, phase, ...(reason === undefined ? {} : { why: reason }), from: from.hash, to: to.hash };
    }),
  };
}

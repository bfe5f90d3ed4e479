import type { RollRequest } from "@fleet/client";
import type { FlagSpec } from "../../command.ts";
import { CommandError } from "../../errors.ts";

type Flags = Readonly<Record<string, unknown>>;

/** The flags of commands that can roll. They have no effect without --roll, and are refused. */
export const ROLL_FLAGS: readonly FlagSpec[] = [
  { flags: "--roll", description: "Change the units a few at a time: the engine goes on when fleetctl is interrupted" },
  {
    flags: "--max-unavailable <n>",
    description: "With --roll: units that may be down at a time, or a part as in 25% (default 1)",
  },
  { flags: "--pause <seconds>", description: "With --roll: pause between the end of one unit and the next" },
  { flags: "--settle <seconds>", description: "With --roll: how long a unit has to be active to be done (default 10)" },
  { flags: "--canary <n>", description: 'With --roll: pause after this many units until "fleetctl roll resume"' },
];

/** The flag of commands that can roll back, too. */
export const ON_FAILURE_FLAG: FlagSpec = {
  flags: "--on-failure <action>",
  description: "With --roll: stop, or undo all units, when one fails (default stop)",
  values: ["stop", "undo"],
};

/** How a roll is to go about it. */
export type RollSettings = Omit<RollRequest, "kind" | "units">;

/** Reads ROLL_FLAGS; null: the units are not to be rolled. */
export function readRollFlags(flags: Flags, message: string | null): RollSettings | null {
  const { maxUnavailable, pause, settle, canary, onFailure } = flags;
  if (flags.roll !== true) {
    const others = { "--max-unavailable": maxUnavailable, "--pause": pause, "--settle": settle, "--canary": canary };
    for (const [flag, value] of Object.entries({ ...others, "--on-failure": onFailure }))
      if (value !== undefined)
        throw new CommandError(`${flag} has no effect without --roll: add --roll, or leave it out`);
    return null;
  }
  if (onFailure !== undefined && onFailure !== "stop" && onFailure !== "undo")
    throw new CommandError(`invalid --on-failure ${JSON.stringify(onFailure)}: expected stop or undo`);
  if (maxUnavailable !== undefined && !/^[1-9]\d{0,5}%?$/.test(String(maxUnavailable)))
    throw new CommandError(
      `invalid --max-unavailable ${JSON.stringify(maxUnavailable)}: expected a number from 1 on, or a part as in 25%`,
    );
  return {
    ...(maxUnavailable === undefined ? {} : { maxUnavailable: String(maxUnavailable) }),
    ...(pause === undefined ? {} : { pauseSeconds: seconds("--pause", pause) }),
    ...(settle === undefined ? {} : { settleSeconds: seconds("--settle", settle) }),
    ...(canary === undefined ? {} : { canary: count("--canary", canary) }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(message === null ? {} : { message }),
  };
}

const MOST_SECONDS = 86_400;

function seconds(flag: string, typed: unknown): number {
  const value = Number(typed);
  if (/^\d+(\.\d+)?$/.test(String(typed)) && value <= MOST_SECONDS) return value;
  throw new CommandError(`invalid ${flag} ${JSON.stringify(typed)}: expected seconds, from 0 to ${MOST_SECONDS}`);
}

function count(flag: string, typed: unknown): number {
  if (/^[1-9]\d{0,5}$/.test(String(typed))) return Number(typed);
  throw new CommandError(`invalid ${flag} ${JSON.stringify(typed)}: expected a number from 1 on`);
}

import type { FromSchema, JSONSchema } from "json-schema-to-ts";
import type { Known } from "./known.ts";

/** How far a roll can be, with what it means. */
export const ROLL_STATUSES = {
  running: "it goes on",
  paused: "nothing more is begun until it is resumed",
  undoing: "its units are given their old versions back",
  done: "all its units are done",
  failed: "a unit has failed, and the others stay as they are",
  undone: "its units have their old versions",
  cancelling: "nothing more is begun: it is over when its units under way are",
  cancelled: "it was cancelled: its units stay as they are",
} as const;

/** How far a unit of a roll can be, with what it means. */
export const ROLL_PHASES = {
  waiting: "nothing was done to it yet",
  stopping: "a restart has stopped it",
  starting: "it has its new version, or was started again, and is not up for the settle time",
  done: "it was up for the settle time",
  failed: "it did not come up, or did not stay up",
  left: "somebody else has changed it: the roll leaves it alone",
  returning: "it has its old version back, and is not up for the settle time",
  returned: "it has its old version back, and was up for the settle time",
  stuck: "it could not be given its old version back, or did not come up with it",
} as const;

const SETTINGS = {
  kind: { type: "string", enum: ["replace", "restart"], description: "A new version for each unit, or a restart." },
  pauseSeconds: {
    type: "number",
    minimum: 0,
    maximum: 86_400,
    description: "Between the end of one unit and the next.",
  },
  settleSeconds: {
    type: "number",
    minimum: 0,
    maximum: 86_400,
    description: "How long a unit has to be up to be done.",
  },
  canary: { type: "integer", minimum: 1, description: "It pauses when so many units are done; absent: it does not." },
  onFailure: { type: "string", enum: ["stop", "undo"], description: "What follows where a unit fails." },
} as const;

const ROLL_REQUEST = {
  type: "object",
  description: "A roll that is asked for.",
  properties: {
    ...SETTINGS,
    units: {
      type: "array",
      minItems: 1,
      description: "In the order in which they are to be taken. In a restart they have a name only.",
      items: {
        type: "object",
        properties: {
          name: { type: "string" },
          text: { type: "string", description: "The file of its new version, as its user wrote it." },
        },
        required: ["name"],
      },
    },
    maxUnavailable: {
      type: "string",
      pattern: "^[1-9][0-9]{0,5}%?$",
      description: "How many of its units may be down at a time, or what part of them as in 25%; 1 by default.",
    },
    message: { type: "string", maxLength: 1_000, description: "Why, for the histories of its units." },
  },
  required: ["kind", "units"],
} as const satisfies JSONSchema;

const ROLL_UNIT = {
  type: "object",
  properties: {
    name: { type: "string" },
    phase: { type: "string", enum: Object.keys(ROLL_PHASES) as (keyof typeof ROLL_PHASES)[] },
    why: { type: "string", description: "Why it has failed, or was left alone." },
    from: { type: "string", description: "SHA-1 of the file that it had." },
    to: { type: "string", description: "SHA-1 of the file that it is to have." },
  },
  required: ["name", "phase", "from", "to"],
} as const satisfies JSONSchema;

const ROLL = {
  type: "object",
  description: "A roll: a change of many units, a few at a time.",
  properties: {
    id: { type: "string" },
    ...SETTINGS,
    status: { type: "string", enum: Object.keys(ROLL_STATUSES) as (keyof typeof ROLL_STATUSES)[] },
    why: { type: "string", description: "Why it has that status, or what it waits for." },
    maxUnavailable: { type: "integer", description: "How many of its units may be down at a time." },
    time: { type: "string", format: "date-time" },
    by: { type: "string", description: "Who asked for it; absent: that is not known." },
    message: { type: "string", description: "Why, in their words; absent: they gave none." },
    units: { type: "array", items: ROLL_UNIT },
  },
  required: ["id", "kind", "status", "maxUnavailable", "pauseSeconds", "settleSeconds", "onFailure", "time", "units"],
} as const satisfies JSONSchema;

const ROLLS = {
  type: "object",
  description: "The oldest first. Of those that are over the last twenty are kept.",
  properties: { rolls: { type: "array", items: ROLL } },
  required: ["rolls"],
} as const satisfies JSONSchema;

const ROLL_ORDER = {
  type: "object",
  description: "What a roll is told.",
  properties: { order: { type: "string", enum: ["pause", "resume", "undo", "cancel"] } },
  required: ["order"],
} as const satisfies JSONSchema;

/** Schemas of what is said about rolls. */
export const ROLL_SCHEMAS = { RollRequest: ROLL_REQUEST, Roll: ROLL, Rolls: ROLLS, RollOrder: ROLL_ORDER } as const;

export type RollRequest = Known<FromSchema<typeof ROLL_REQUEST>>;
export type Roll = Known<FromSchema<typeof ROLL>>;
export type RollOrder = Known<FromSchema<typeof ROLL_ORDER>>["order"];

import type { FromSchema, JSONSchema } from "json-schema-to-ts";
import type { Known } from "./known.ts";
import { LINK_SCHEMAS } from "./link-schemas.ts";
import { ROLL_SCHEMAS } from "./roll-schemas.ts";

const UNIT_OPTION = {
  type: "object",
  description: "One Name=value of a unit file, in the section it stands in. An absent value counts as an empty one.",
  properties: {
    section: { type: "string" },
    name: { type: "string" },
    value: { type: "string", description: "May be empty: that resets a list in systemd." },
  },
  required: ["section", "name"],
} as const satisfies JSONSchema;

const DESIRED_STATES = ["inactive", "loaded", "launched"] as const;

const UNIT_MEMBERS = {
  name: { type: "string", description: "Name with type, as in hello.service." },
  options: { type: "array", items: UNIT_OPTION, description: "The unit's file, option by option, in its order." },
  desiredState: { type: "string", description: "What is wanted: inactive, loaded or launched." },
  currentState: {
    type: "string",
    description:
      "What its machine last reported: inactive, loaded or launched; inactive for global units, whose states say more.",
  },
  machineID: { type: "string", description: "Where it is scheduled; absent: nowhere, or a global unit." },
  text: {
    type: "string",
    description:
      "The unit's file as it was submitted, with its comments. In a request it goes with options, and has to mean the same; in an answer it is there where it was asked for.",
  },
} as const;

const UNIT = {
  type: "object",
  description: "A unit as the cluster has it.",
  properties: {
    ...UNIT_MEMBERS,
    desiredState: { ...UNIT_MEMBERS.desiredState, enum: DESIRED_STATES },
    currentState: { ...UNIT_MEMBERS.currentState, enum: DESIRED_STATES },
    ended: {
      type: "boolean",
      description: "true: it is a oneshot that has ended, and is only loaded where it has come to since.",
    },
  },
  required: ["name", "options", "desiredState"],
} as const satisfies JSONSchema;

const UNIT_CHANGE = {
  type: "object",
  description: "A unit as a client asks for it. currentState and machineID are accepted and ignored.",
  properties: UNIT_MEMBERS,
} as const satisfies JSONSchema;

const VERSION = {
  type: "object",
  description: "A version of a unit's file, which need not be in the cluster.",
  properties: { options: UNIT_MEMBERS.options },
  required: ["options"],
} as const satisfies JSONSchema;

const UNIT_VERSION = {
  type: "object",
  description: "A text that a unit came to have, or its end.",
  properties: {
    number: { type: "integer", description: "Counts the texts of a unit from 1 on; at its end the last one's." },
    kind: { type: "string", enum: ["version", "destroyed"] },
    hash: { type: "string", description: "SHA-1 of the unit's file, 40 hex digits; comments do not count." },
    time: { type: "string", format: "date-time" },
    by: { type: "string", description: "Who asked for it; absent: that is not known." },
    message: { type: "string", description: "Why, in their words; absent: they gave none." },
    current: { type: "boolean", description: "true: it is the one that the unit has." },
    text: { type: "string", description: "The unit's file as it was submitted; lists do not have it." },
  },
  required: ["number", "kind", "hash", "time"],
} as const satisfies JSONSchema;

const UNIT_VERSIONS = {
  type: "object",
  description: "The newest first. The last ten are kept, for a day of a unit that is gone.",
  properties: { versions: { type: "array", items: UNIT_VERSION } },
  required: ["versions"],
} as const satisfies JSONSchema;

const UNIT_STATE = {
  type: "object",
  description: "What one machine says of one unit.",
  properties: {
    name: { type: "string" },
    hash: { type: "string", description: "SHA-1 of the unit's file on that machine, 40 hex digits." },
    machineID: { type: "string" },
    systemdLoadState: { type: "string", description: "systemd's word: loaded, not-found, bad-setting …" },
    systemdActiveState: { type: "string", description: "systemd's word: active, activating, failed, inactive …" },
    systemdSubState: { type: "string", description: "systemd's word: running, dead, exited …" },
    currentState: {
      type: "string",
      enum: DESIRED_STATES,
      description: "What the machine has done with the unit: inactive, loaded or launched.",
    },
    systemdResult: {
      type: "string",
      description: "systemd's word on how its last run ended: exit-code, signal, timeout …; absent: it did not fail.",
    },
    exitStatus: { type: "integer", description: "What its main process exited with; absent where it did not." },
    exitSignal: { type: "string", description: "The signal that ended its main process, as in SIGKILL." },
    restarts: { type: "integer", description: "How often systemd has restarted it by itself; absent: never." },
    error: { type: "string", description: "Why fleet could not do there what was wanted; absent where it could." },
    unknown: {
      type: "boolean",
      description:
        "true: the registry does not know the unit, as after a restore from a backup; the machine leaves it as it is.",
    },
  },
  required: ["name", "hash", "machineID"],
} as const satisfies JSONSchema;

const MACHINE = {
  type: "object",
  description: "A machine of the cluster, with its dynamic metadata laid over the configured.",
  properties: {
    id: { type: "string", description: "Its machine ID, 32 hex digits." },
    primaryIP: { type: "string" },
    hostname: { type: "string", description: "Its host name; absent where its agent does not tell." },
    version: { type: "string", description: "The version of fleet there; absent where it is not known." },
    metadata: { type: "object", additionalProperties: { type: "string" } },
    state: {
      type: "string",
      enum: ["cordoned", "draining", "lost"],
      description:
        "Absent: the machine takes units. cordoned: it gets nothing new. draining: its units are moved away too. lost: it was here, and is told of only where lost machines are asked for.",
    },
    since: {
      type: "string",
      format: "date-time",
      description: "Since when it is lost; absent where that is not known.",
    },
  },
  required: ["id"],
} as const satisfies JSONSchema;

const TOKEN = { type: "string", description: "Leads to the next page; absent on the last." } as const;

const UNIT_PAGE = {
  type: "object",
  description: "A page of units, by name; a list without entries is left out.",
  properties: { units: { type: "array", items: UNIT }, nextPageToken: TOKEN },
} as const satisfies JSONSchema;

const UNIT_STATE_PAGE = {
  type: "object",
  description: "A page of unit states, by unit and then by machine; a list without entries is left out.",
  properties: { states: { type: "array", items: UNIT_STATE }, nextPageToken: TOKEN },
} as const satisfies JSONSchema;

const MACHINE_PAGE = {
  type: "object",
  description: "A page of machines, by ID; a list without entries is left out.",
  properties: { machines: { type: "array", items: MACHINE }, nextPageToken: TOKEN },
} as const satisfies JSONSchema;

const METADATA_OPERATION = {
  type: "object",
  description: "One change of a machine's dynamic metadata.",
  properties: {
    op: { type: "string", enum: ["add", "remove", "replace"] },
    path: {
      type: "string",
      pattern: "^/([A-Za-z0-9_.-]+)/metadata/([A-Za-z0-9_.-]+)$",
      description: "/<machine id>/metadata/<key>",
    },
    value: {
      description: 'A non-empty string, or {"value": "…"} as old clients send it; not needed to remove.',
      anyOf: [{ type: "string" }, { type: "object", properties: { value: { type: "string" } }, required: ["value"] }],
    },
  },
  required: ["op", "path"],
} as const satisfies JSONSchema;

const METADATA_PATCH = {
  type: "array",
  description: "Changes, all checked before the first is carried out, then done in order.",
  items: METADATA_OPERATION,
} as const satisfies JSONSchema;

const ERROR = {
  type: "object",
  description: "What went wrong.",
  properties: {
    error: {
      type: "object",
      properties: {
        code: { type: "integer", description: "The HTTP status." },
        message: { type: "string", description: "One sentence." },
      },
      required: ["code", "message"],
    },
  },
  required: ["error"],
} as const satisfies JSONSchema;

/** Every kind of event, with what it means. */
export const EVENT_KINDS = {
  submitted: "a unit, or a new version of one, came into the cluster",
  scheduled: "a unit that was on no machine was given one",
  moved: "a unit was given another machine",
  unscheduled: "a unit was taken off its machine",
  loaded: "a machine has the unit's file, not started",
  started: "a machine was told to start the unit",
  active: "systemd says that the unit is up",
  failed: "systemd says that the unit failed, or fleet could not do what was wanted",
  stopped: "systemd says that the unit is no longer up",
  unloaded: "a machine has taken the unit away",
  destroyed: "a unit was removed from the cluster",
  "machine-joined": "a machine came into the cluster",
  "machine-left": "a machine left the cluster, or was lost",
  "machine-held": "a machine was lost right after etcd was silent: its units stay there for a while",
  "machine-metadata-changed": "a machine's metadata changed",
  "leader-changed": "another engine leads, or none does",
} as const;

/** The kind of an event. */
export type EventKind = keyof typeof EVENT_KINDS;

const EVENT = {
  type: "object",
  description: "Something that happened in the cluster.",
  properties: {
    kind: { type: "string", enum: Object.keys(EVENT_KINDS) as EventKind[] },
    time: { type: "string", format: "date-time", description: "When the API heard of it." },
    notBefore: {
      type: "string",
      format: "date-time",
      description: "Only where the API was not running when it happened: it happened between this time and `time`.",
    },
    revision: { type: "integer", description: "The etcd revision of the change." },
    cause: { type: "string", description: "Why, in a few words." },
    unit: { type: "string", description: "The unit; absent where the event is about none." },
    machineID: { type: "string", description: "The machine; absent where the event is about none." },
    previousMachineID: { type: "string", description: "Where the unit was, or which engine led, before." },
  },
  required: ["kind", "time", "revision", "cause"],
} as const satisfies JSONSchema;

const PLACEMENT_REASON = {
  type: "object",
  description: "Machines of which the same is true.",
  properties: {
    reason: { type: "string" },
    machines: { type: "integer", description: "How many." },
    examples: { type: "array", items: { type: "string" }, description: "IDs of up to three of them." },
  },
  required: ["reason", "machines", "examples"],
} as const satisfies JSONSchema;

const PLACEMENT = {
  type: "object",
  description: "Where a unit is, where it may be, and why not elsewhere.",
  properties: {
    name: { type: "string" },
    desiredState: { type: "string", enum: DESIRED_STATES },
    machineID: { type: "string", description: "Where it is scheduled; absent: nowhere, or a global unit." },
    global: { type: "boolean" },
    machines: { type: "integer", description: "How many machines there are." },
    fitting: { type: "integer", description: "On how many of them the unit may be." },
    summary: { type: "string", description: "The answer in one sentence." },
    reasons: { type: "array", items: PLACEMENT_REASON, description: "Why not on the others, most machines first." },
    troubles: {
      type: "array",
      description: "What is wrong with it where it is; absent: nothing.",
      items: {
        type: "object",
        properties: {
          machineID: { type: "string" },
          text: { type: "string", description: "The end of a sentence about the unit." },
        },
        required: ["machineID", "text"],
      },
    },
  },
  required: ["name", "desiredState", "global", "machines", "fitting", "summary", "reasons"],
} as const satisfies JSONSchema;

const CORDON = {
  type: "object",
  description: "How a machine is marked unschedulable.",
  properties: { drain: { type: "boolean", description: "Move its units away too; false by default." } },
} as const satisfies JSONSchema;

const MOVE = {
  type: "object",
  description: "A unit that goes from one machine to another.",
  properties: {
    unit: { type: "string" },
    from: { type: "string", description: "Machine ID; absent: it is on none just now." },
    to: { type: "string", description: "Machine ID." },
    reason: { type: "string" },
  },
  required: ["unit", "to", "reason"],
} as const satisfies JSONSchema;

const MOVES = {
  type: "object",
  description: "Moves, in the order in which they are made.",
  properties: { moves: { type: "array", items: MOVE } },
  required: ["moves"],
} as const satisfies JSONSchema;

const REBALANCE = {
  type: "object",
  description: "What is asked of a rebalance.",
  properties: {
    dryRun: { type: "boolean", description: "Only say which moves would be made; false by default." },
    limit: { type: "integer", minimum: 1, maximum: 1000, description: "Moves on their way at a time; 1 by default." },
    most: { type: "integer", minimum: 1, maximum: 10000, description: "Moves in all; 1000 by default." },
  },
} as const satisfies JSONSchema;

/** Every schema of the API by its name in the documents that describe it. */
export const SCHEMAS = {
  Unit: UNIT,
  UnitChange: UNIT_CHANGE,
  UnitOption: UNIT_OPTION,
  Version: VERSION,
  UnitPage: UNIT_PAGE,
  UnitVersion: UNIT_VERSION,
  UnitVersions: UNIT_VERSIONS,
  UnitState: UNIT_STATE,
  UnitStatePage: UNIT_STATE_PAGE,
  Machine: MACHINE,
  MachinePage: MACHINE_PAGE,
  MetadataOperation: METADATA_OPERATION,
  MetadataPatch: METADATA_PATCH,
  Event: EVENT,
  Placement: PLACEMENT,
  PlacementReason: PLACEMENT_REASON,
  Cordon: CORDON,
  Rebalance: REBALANCE,
  Move: MOVE,
  Moves: MOVES,
  ...ROLL_SCHEMAS,
  ...LINK_SCHEMAS,
  Error: ERROR,
} as const;

/** The name of a schema. */
export type SchemaName = keyof typeof SCHEMAS;

export type UnitOption = Required<Known<FromSchema<typeof UNIT_OPTION>>>;
export type Unit = Omit<Known<FromSchema<typeof UNIT>>, "options"> & { readonly options: readonly UnitOption[] };
export type UnitChange = Known<FromSchema<typeof UNIT_CHANGE>>;
export type UnitVersion = Known<FromSchema<typeof UNIT_VERSION>>;
export type UnitState = Known<FromSchema<typeof UNIT_STATE>>;
export type Machine = Known<FromSchema<typeof MACHINE>>;
export type MetadataOperation = Known<FromSchema<typeof METADATA_OPERATION>>;
export type FleetEvent = Known<FromSchema<typeof EVENT>>;
export type Placement = Known<FromSchema<typeof PLACEMENT>>;
/** A move that a rebalance proposes, or has asked for. */
export type Move = Known<FromSchema<typeof MOVE>>;
export type RebalanceRequest = Known<FromSchema<typeof REBALANCE>>;

import { EVENT_KINDS, type SchemaName } from "./schemas.ts";

/** A parameter of a request. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  /** True: it may be given several times, and each value counts. */
  readonly isRepeated?: boolean;
  readonly values?: readonly string[];
}

/** A possible answer to a request. */
export interface Answer {
  readonly status: number;
  readonly description: string;
  /** Null: no body. */
  readonly schema: SchemaName | null;
  /** Absent: application/json. */
  readonly contentType?: string;
}

/** A request that the API serves. */
export interface Operation {
  /** Resource and method, for example `Units.Set`. */
  readonly id: string;
  readonly method: "GET" | "PUT" | "DELETE" | "PATCH" | "POST";
  /** Under /fleet/v1/, parameters in braces. */
  readonly path: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly body: SchemaName | null;
  readonly answers: readonly Answer[];
  /** True: it is part of the API that the old fleet described in its discovery document. */
  readonly isClassic: boolean;
  /** True: it changes nothing, though its method is one that does. */
  readonly isRead?: boolean;
}

const UNIT_NAME: Parameter = { name: "unitName", in: "path", description: "Name of the unit, with its type." };
const MACHINE_ID: Parameter = { name: "machineID", in: "path", description: "ID of the machine, in full." };
const PAGE_TOKEN: Parameter = { name: "nextPageToken", in: "query", description: "As the page before gave it." };
/** While etcd is away, a read with `view=last` is answered from what the server last saw. */
export const VIEW = {
  name: "view",
  in: "query",
  description:
    "last: while etcd is away, answer from the last view. The header Fleet-View-Age then says how many seconds old it is at most.",
  values: ["last"],
} as const satisfies Parameter;

const ok = (schema: SchemaName): Answer => ({ status: 200, description: "It is there.", schema });
const done = (description: string): Answer => ({ status: 204, description, schema: null });
const refused = (status: number, description: string): Answer => ({ status, description, schema: "Error" });
const badToken = refused(400, "The page token, or a parameter, is not valid.");

/** Every request under /fleet/v1, except those for the documents that describe the API. */
export const OPERATIONS = [
  {
    id: "Machines.List",
    method: "GET",
    path: "machines",
    summary: "List the machines of the cluster, by ID.",
    parameters: [
      PAGE_TOKEN,
      {
        name: "lost",
        in: "query",
        description: "true: behind them also those that went away and are not forgotten, with state lost.",
        values: ["true", "false"],
      },
      VIEW,
    ],
    body: null,
    answers: [ok("MachinePage"), badToken],
    isClassic: true,
  },
  {
    id: "Machines.Patch",
    method: "PATCH",
    path: "machines",
    summary: "Change dynamic metadata of machines, also of machines that are not there.",
    parameters: [],
    body: "MetadataPatch",
    answers: [
      done("All changes are made."),
      refused(400, "An operation is not valid; none was carried out."),
      refused(415, "The content type is not application/json."),
    ],
    isClassic: false,
  },
  {
    id: "Machines.Forget",
    method: "DELETE",
    path: "machines/{machineID}",
    summary: "Forget a machine that is lost.",
    parameters: [MACHINE_ID],
    body: null,
    answers: [
      done("It is listed no longer, and a cordon of it is gone."),
      refused(400, "The ID is not valid."),
      refused(409, "The machine is here."),
    ],
    isClassic: false,
  },
  {
    id: "Machines.Cordon",
    method: "PUT",
    path: "machines/{machineID}/cordon",
    summary: "Mark a machine unschedulable, and with drain move its units away.",
    parameters: [MACHINE_ID],
    body: "Cordon",
    answers: [done("It is cordoned."), refused(400, "The ID or the body is not valid.")],
    isClassic: false,
  },
  {
    id: "Machines.Uncordon",
    method: "DELETE",
    path: "machines/{machineID}/cordon",
    summary: "Mark a machine schedulable again; a drain ends where it is.",
    parameters: [MACHINE_ID],
    body: null,
    answers: [done("It takes units."), refused(400, "The ID is not valid.")],
    isClassic: false,
  },
  {
    id: "Moves.List",
    method: "GET",
    path: "moves",
    summary: "List the moves that were asked for and are not done.",
    parameters: [VIEW],
    body: null,
    answers: [ok("Moves")],
    isClassic: false,
  },
  {
    id: "Moves.Rebalance",
    method: "POST",
    path: "rebalance",
    summary: "Plan moves that even out the load of machines, and have the engine make them.",
    parameters: [],
    body: "Rebalance",
    answers: [
      ok("Moves"),
      refused(400, "The body is not valid."),
      refused(415, "The content type is not application/json."),
    ],
    isClassic: false,
  },
  {
    id: "Units.List",
    method: "GET",
    path: "units",
    summary: "List the units of the cluster, by name.",
    parameters: [PAGE_TOKEN, VIEW],
    body: null,
    answers: [ok("UnitPage"), badToken],
    isClassic: true,
  },
  {
    id: "Units.Get",
    method: "GET",
    path: "units/{unitName}",
    summary: "Show one unit.",
    parameters: [
      UNIT_NAME,
      { name: "text", in: "query", description: "true: with its file as it was submitted.", values: ["true", "false"] },
      VIEW,
    ],
    body: null,
    answers: [ok("Unit"), refused(404, "There is no such unit.")],
    isClassic: true,
  },
  {
    id: "Units.Delete",
    method: "DELETE",
    path: "units/{unitName}",
    summary: "Remove a unit from the cluster.",
    parameters: [UNIT_NAME],
    body: null,
    answers: [done("It is removed; its machine takes it away."), refused(404, "There is no such unit.")],
    isClassic: true,
  },
  {
    id: "Units.Set",
    method: "PUT",
    path: "units/{unitName}",
    summary: "Create a unit, put a new version of it in, or change its desired state.",
    parameters: [UNIT_NAME],
    body: "UnitChange",
    answers: [
      { status: 201, description: "It, or this version of it, is new.", schema: null },
      done("Its desired state is set."),
      refused(400, "What is asked for can never be."),
      refused(409, "An unknown unit without options, or a known one with neither options nor desiredState."),
      refused(413, "The unit is larger than unit_size_limit."),
      refused(415, "The content type is not application/json."),
    ],
    isClassic: true,
  },
  {
    id: "Units.Placement",
    method: "GET",
    path: "units/{unitName}/placement",
    summary: "Explain where a unit is, and why it is not elsewhere.",
    parameters: [UNIT_NAME, VIEW],
    body: null,
    answers: [ok("Placement"), refused(404, "There is no such unit.")],
    isClassic: false,
  },
  {
    id: "Units.Explain",
    method: "POST",
    path: "units/{unitName}/placement",
    summary: "Explain where a version of a unit could be if it was put in and launched now.",
    parameters: [UNIT_NAME],
    body: "Version",
    answers: [
      ok("Placement"),
      refused(400, "The options, or the name, are not a unit's."),
      refused(413, "The version is larger than a unit may be."),
      refused(415, "The content type is not application/json."),
    ],
    isClassic: false,
    isRead: true,
  },
  {
    id: "UnitState.List",
    method: "GET",
    path: "state",
    summary: "List what machines say of units, by unit and machine.",
    parameters: [
      PAGE_TOKEN,
      { name: "unitName", in: "query", description: "Only of this unit." },
      { name: "machineID", in: "query", description: "Only by this machine." },
      VIEW,
    ],
    body: null,
    answers: [ok("UnitStatePage"), badToken],
    isClassic: true,
  },
  {
    id: "UnitState.Get",
    method: "GET",
    path: "state/{unitName}",
    summary: "Show what the machine of a unit says of it.",
    parameters: [UNIT_NAME, VIEW],
    body: null,
    answers: [ok("UnitState"), refused(404, "No machine says anything of it.")],
    isClassic: true,
  },
  {
    id: "Events.Follow",
    method: "GET",
    path: "events",
    summary: "Follow what happens in the cluster, as server-sent events.",
    parameters: [
      { name: "unit", in: "query", description: "Only about units whose name matches this glob.", isRepeated: true },
      { name: "machine", in: "query", description: "Only about machines with this ID or short ID.", isRepeated: true },
      {
        name: "kind",
        in: "query",
        description: "Only events of this kind.",
        isRepeated: true,
        values: Object.keys(EVENT_KINDS),
      },
      {
        name: "follow",
        in: "query",
        description: "false: the answer ends with what is kept of the past.",
        values: ["true", "false"],
      },
      { name: "Last-Event-ID", in: "header", description: "The etcd revision after which to go on." },
    ],
    body: null,
    answers: [
      {
        status: 200,
        description:
          "Each event's data is an Event; its id is the etcd revision. An event named `gap` says that events since the asked revision are not kept any more, one named `cut-off` that the reader was too slow.",
        schema: "Event",
        contentType: "text/event-stream",
      },
      refused(400, "A filter or the last event's ID is not valid."),
      refused(429, "Too many clients follow events here."),
    ],
    isClassic: false,
  },
] as const satisfies readonly Operation[];

/** The ID of one of the OPERATIONS. */
export type OperationId = (typeof OPERATIONS)[number]["id"];

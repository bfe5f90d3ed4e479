import type { SchemaName } from "./schemas.ts";

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
  /** Other forms of the same, which a client asks for by Accept. */
  readonly otherTypes?: readonly string[];
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
  /** What a token of role viewer has to be given for it; absent: nothing more. */
  readonly right?: "journal";
}

/** The name of a unit in a path. */
export const UNIT_NAME: Parameter = { name: "unitName", in: "path", description: "Name of the unit, with its type." };
/** The ID of a machine in a path. */
export const MACHINE_ID: Parameter = { name: "machineID", in: "path", description: "ID of the machine, in full." };
/** While etcd is away, a read with `view=last` is answered from what the server last saw. */
export const VIEW = {
  name: "view",
  in: "query",
  description:
    "last: while etcd is away, answer from the last view. The header Fleet-View-Age then says how many seconds old it is at most.",
  values: ["last"],
} as const satisfies Parameter;

/** An answer with a body. */
export const ok = (schema: SchemaName): Answer => ({ status: 200, description: "It is there.", schema });
/** An answer without one. */
export const done = (description: string): Answer => ({ status: 204, description, schema: null });
/** An answer that says what is wrong. */
export const refused = (status: number, description: string): Answer => ({ status, description, schema: "Error" });

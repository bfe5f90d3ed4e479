import { SCHEMAS } from "@fleet/client/description";
import type { MetadataChange } from "@fleet/domain/cluster";

/** The body of a PATCH of /machines is not valid. The message is for the client. */
export class InvalidPatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InvalidPatchError";
  }
}

const { op: OP, path } = SCHEMAS.MetadataOperation.properties;
const PATH = new RegExp(path.pattern);

/**
 * Reads the operations of a PATCH of /machines. Either all are valid, or none is returned.
 *
 * @param body an array of {op, path, value}; `value` a non-empty string, or `{"value": "…"}` as old clients send it
 * @throws InvalidPatchError
 */
export function readMetadataPatch(body: unknown): readonly MetadataChange[] {
  if (!Array.isArray(body)) throw new InvalidPatchError("the body must be an array of {op, path, value}");
  return body.map((operation: unknown, index) => {
    const { op, path, value } = (typeof operation === "object" && operation !== null ? operation : {}) as Record<
      string,
      unknown
    >;
    const where = `operation ${index + 1}`;
    if (!OP.enum.some((known) => known === op)) {
      throw new InvalidPatchError(`${where}: invalid op ${JSON.stringify(op)}: expected ${OP.enum.join(", ")}`);
    }
    const [, machineID, key] = (typeof path === "string" ? PATH.exec(path) : null) ?? [];
    if (machineID === undefined || key === undefined) {
      throw new InvalidPatchError(
        `${where}: invalid path ${JSON.stringify(path)}: expected /<machine id>/metadata/<key>`,
      );
    }
    if (op === "remove") return { machineID, key, value: "" };
    const inner = typeof value === "object" && value !== null ? (value as Record<string, unknown>).value : value;
    if (typeof inner !== "string" || inner === "") {
      throw new InvalidPatchError(`${where}: invalid value ${JSON.stringify(value)}: expected a non-empty string`);
    }
    return { machineID, key, value: inner };
  });
}

import { RegistryError, type RegistryErrorCode } from "@fleet/domain/cluster";
import { InvalidUnitError, UnitTooLargeError } from "@fleet/domain/unit";
import { InvalidFilterError } from "../model/event-filter.ts";
import { InvalidPatchError } from "../model/metadata-patch.ts";

/** An answer that is an error: its status and one sentence for the client. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "HttpError";
    this.status = status;
  }
}

/** The answer to a write that etcd holds and that the mirror of this server does not show yet. */
export const UNSEEN = "the change was made, but this server does not show it yet: try again, or try another server";
/** The answer to a refused change, where the mirror of this server does not show yet what it was refused for. */
export const REFUSED_UNSEEN =
  "the change was refused, but this server does not show yet why: try again, or try another server";
/** The answer while the registry can't be used. Old clients look for these words. */
export const UNAVAILABLE = "fleet server unable to communicate with etcd";

const STATUS: Readonly<Partial<Record<RegistryErrorCode, number>>> = { "not-found": 404, refused: 409, conflict: 409 };

/** The status and the sentence of the answer to a failure; 500 for an unexpected one. */
export function httpError(error: unknown): { readonly status: number; readonly message: string } {
  if (error instanceof HttpError) return { status: error.status, message: error.message };
  if (error instanceof UnitTooLargeError) return { status: 413, message: error.message };
  const isInvalid =
    error instanceof InvalidUnitError || error instanceof InvalidPatchError || error instanceof InvalidFilterError;
  if (isInvalid) return { status: 400, message: error.message };
  if (error instanceof RegistryError) {
    const status = STATUS[error.code];
    if (error.code === "not-found") return { status: 404, message: "unit does not exist" };
    return status === undefined ? { status: 503, message: UNAVAILABLE } : { status, message: error.message };
  }
  const { code, statusCode, message } = error as { code?: unknown; statusCode?: unknown; message?: unknown };
  // The validator's words: `body/options must be array`.
  if (code === "FST_ERR_VALIDATION")
    return {
      status: 400,
      message: `invalid request body: ${String(message)
        .replace(/^body\/?/, "")
        .trim()}`,
    };
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
    return { status: statusCode, message: String(message) };
  }
  return { status: 500, message: "an unexpected error occurred; the daemon's log has more" };
}

/** The body of an error. */
export function errorJson(status: number, message: string): string {
  return JSON.stringify({ error: { code: status, message } });
}

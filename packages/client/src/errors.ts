/** What went wrong with a request. */
export type FleetApiErrorCode =
  /** Nothing listens there, or the connection broke. */
  | "unreachable"
  /** No answer within the time-out. */
  | "timeout"
  /** The server answered with an error; `status` says which. */
  | "refused"
  /** The answer is not one that fleet's API gives. */
  | "not-fleet";

/** A request failed; the message is one sentence for users. */
export class FleetApiError extends Error {
  readonly code: FleetApiErrorCode;
  /** The HTTP status where the code is `refused`; else null. */
  readonly status: number | null;

  constructor(
    code: FleetApiErrorCode,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "FleetApiError";
    this.code = code;
    this.status = options.status ?? null;
  }
}

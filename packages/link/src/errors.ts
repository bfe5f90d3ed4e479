/**
 * What can go wrong with a question: a machine that does not answer, or answers to too many; an API that asks too many; a
 * verb that the agent does not know; a question that it refuses; a failure of its own; a link that broke in the middle.
 */
export type LinkErrorCode =
  | "no-answer"
  | "machine-busy"
  | "api-busy"
  | "unknown-verb"
  | "refused"
  | "failed"
  | "broken"
  | "stopped";

/** A question that was not answered, or not to its end. The message is a sentence for people. */
export class LinkError extends Error {
  readonly code: LinkErrorCode;

  constructor(code: LinkErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.name = "LinkError";
    this.code = code;
  }
}

/** A question that an agent refuses: it names what is not fleet's, or is not valid. */
export class RefusedQuestion extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RefusedQuestion";
  }
}

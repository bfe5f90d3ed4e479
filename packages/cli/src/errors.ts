/** A command can't go on: one sentence for the user, and the exit code. */
export class CommandError extends Error {
  readonly exitCode: number;
  /** True: it may be over soon, and what was asked for may still come true. */
  readonly isPassing: boolean;

  constructor(
    message: string,
    options: { readonly exitCode?: number; readonly cause?: unknown; readonly isPassing?: boolean } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "CommandError";
    this.exitCode = options.exitCode ?? 1;
    this.isPassing = options.isPassing ?? false;
  }
}

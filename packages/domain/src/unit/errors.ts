/** A unit file can't be read. `line` counts from 1. */
export class UnitFileError extends Error {
  readonly line: number;
  readonly reason: string;

  constructor(line: number, reason: string, cause?: unknown) {
    super(`line ${line}: ${reason}`, { cause });
    this.name = "UnitFileError";
    this.line = line;
    this.reason = reason;
  }
}

/** A unit can't be accepted as it is: its name, its options, or both together. The message is one sentence for the user. */
export class InvalidUnitError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InvalidUnitError";
  }
}

/** A unit's text is larger than this cluster takes. */
export class UnitTooLargeError extends InvalidUnitError {
  constructor(name: string, bytes: number, limit: number) {
    super(`unit ${name} has ${bytes} bytes, more than the ${limit} that a unit may have`);
    this.name = "UnitTooLargeError";
  }
}

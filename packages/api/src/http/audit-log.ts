import { closeSync, openSync, writeSync } from "node:fs";
import type { AuditTarget } from "@fleet/config";
import type { BaseLogger } from "pino";
import { type AuditRecord, auditSentence } from "../model/audit.ts";

/** Only its owner, and whom that lets, may read who did what. */
const MODE = 0o600;

/** Writes a line for each change to where `audit_log` says. */
export class AuditLog {
  readonly #log: Pick<BaseLogger, "info" | "error">;
  #target: AuditTarget;
  /** Of the file; null: it is not open. */
  #fd: number | null = null;
  /** Whether the last line could not be written. */
  #isFailing = false;

  constructor(target: AuditTarget, log: Pick<BaseLogger, "info" | "error">) {
    this.#target = target;
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#target.kind !== "off";
  }

  /** Writes to another target, or to the same file opened anew, as after it was rotated. */
  reload(target: AuditTarget): void {
    this.close();
    this.#target = target;
  }

  /** Writes a record. The change has been made by then: where it can't be written, the log says so. */
  write(record: AuditRecord): void {
    const target = this.#target;
    if (target.kind === "journal") this.#log.info({ audit: record }, auditSentence(record));
    if (target.kind !== "file") return;
    try {
      this.#fd ??= openSync(target.path, "a", MODE);
      writeSync(this.#fd, `${JSON.stringify(record)}\n`);
      this.#isFailing = false;
    } catch (error) {
      const isNew = !this.#isFailing;
      this.#isFailing = true;
      if (isNew) this.#log.error({ err: error }, `option audit_log: ${target.path} can't be written`);
      // Nothing is lost while the file can't be written: the log has it.
      this.#log.error({ audit: record }, auditSentence(record));
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}

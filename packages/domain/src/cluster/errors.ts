/** What can go wrong with the registry. The only place where these codes are listed; docs/registry.md is tested against it. */
export const REGISTRY_ERRORS = {
  unavailable: { retryable: true, meaning: "etcd can't be reached, or has no leader." },
  timeout: { retryable: true, meaning: "etcd did not answer within the request time-out." },
  unauthenticated: { retryable: false, meaning: "etcd refused the user name or password, or wants one." },
  forbidden: { retryable: false, meaning: "The etcd user's role does not cover fleet's keys." },
  tls: { retryable: false, meaning: "The TLS handshake with etcd failed." },
  compacted: { retryable: true, meaning: "The asked revision of etcd has been compacted away; read anew." },
  restored: {
    retryable: true,
    meaning: "etcd has another history than before, as after a restore from a backup; everything is read anew.",
  },
  "events-lost": { retryable: true, meaning: "A watch has lost events; everything is read anew." },
  "no-space": { retryable: true, meaning: "etcd's database is full and takes no writes." },
  conflict: { retryable: true, meaning: "The same thing was changed by others each time it was tried." },
  "not-found": { retryable: false, meaning: "There is no such unit." },
  refused: { retryable: false, meaning: "The change is not allowed as it stands." },
  "lease-lost": { retryable: true, meaning: "The lease that a write was to be bound to has ended." },
  closed: { retryable: false, meaning: "The client has been closed." },
  unexpected: { retryable: false, meaning: "etcd answered with an error that fleet has no name for." },
} as const;

/** A code of REGISTRY_ERRORS. */
export type RegistryErrorCode = keyof typeof REGISTRY_ERRORS;

/** An operation on the registry failed. `code` says how; `retryable` whether trying again later can help. */
export class RegistryError extends Error {
  readonly code: RegistryErrorCode;
  readonly retryable: boolean;

  constructor(code: RegistryErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "RegistryError";
    this.code = code;
    this.retryable = REGISTRY_ERRORS[code].retryable;
  }
}

import { createHash } from "node:crypto";

/** SHA-256 of a secret: what is kept of it, and compared. */
export function secretHash(secret: Uint8Array): Buffer {
  return createHash("sha256").update(secret).digest();
}

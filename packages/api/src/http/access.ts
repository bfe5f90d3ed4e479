import { createHash } from "node:crypto";
import type { ApiToken } from "@fleet/config";
import { type Asked, refusalOf } from "../model/rights.ts";
import { HttpError } from "./errors.ts";

/** Decides who may do what, by bearer tokens. Only the hashes of the tokens are known. */
export class Access {
  readonly #tokens: ReadonlyMap<string, ApiToken>;
  readonly #now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(tokens: readonly ApiToken[], now: () => number = Date.now) {
    this.#tokens = new Map(tokens.map((token) => [token.sha256, token]));
    this.#now = now;
  }

  /** The token in an Authorization header, also one that has expired; null: none that is known. */
  tokenOf(authorization: string | undefined): ApiToken | null {
    const sha256 = hashIn(authorization);
    return sha256 === null ? null : (this.#tokens.get(sha256) ?? null);
  }

  /**
   * Checks again and again whether a request with this Authorization header may have what it asked for.
   *
   * @returns called as often as needed, also of the Access that has replaced this one after a reload
   */
  static watch(authorization: string | undefined, asked: Asked): (access: Access | null) => boolean {
    const sha256 = hashIn(authorization);
    return (access) => access === null || (sha256 !== null && access.#mayHave(sha256, asked));
  }

  /**
   * Checks that a request may be carried out.
   *
   * @param authorization the request's Authorization header
   * @throws HttpError 401 without a valid token, 403 where the token does not give the right
   */
  check(asked: Asked, authorization: string | undefined): void {
    if (hashIn(authorization) === null)
      throw new HttpError(401, "no token: this API requires a bearer token, as given by fleetctl's --token-file");
    const token = this.tokenOf(authorization);
    if (token === null) throw new HttpError(401, "invalid token");
    const refusal = refusalOf(token, asked, this.#now());
    if (refusal !== null) throw new HttpError(refusal.status, refusal.message);
  }

  #mayHave(sha256: string, asked: Asked): boolean {
    const token = this.#tokens.get(sha256);
    return token !== undefined && refusalOf(token, asked, this.#now()) === null;
  }
}

/**
 * The SHA-256 of the token in a header; null: there is none. The time that a look-up of a hash takes does not depend on
 * how much of a guessed token is right.
 */
function hashIn(authorization: string | undefined): string | null {
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
  return token === undefined ? null : createHash("sha256").update(token).digest("hex");
}

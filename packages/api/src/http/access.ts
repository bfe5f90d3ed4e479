import { createHash } from "node:crypto";
import type { ApiToken } from "@fleet/config";
import type { FastifyRequest } from "fastify";
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

  /** The token that a request has shown, also one that has expired; null: none that is known. */
  tokenOf(request: FastifyRequest): ApiToken | null {
    const sha256 = tokenHashOf(request);
    return sha256 === null ? null : (this.#tokens.get(sha256) ?? null);
  }

  /**
   * Checks again and again whether a request may have what it has asked for.
   *
   * @returns called as often as needed, also of the Access that has replaced this one after a reload
   */
  static watch(request: FastifyRequest, asked: Asked): (access: Access | null) => boolean {
    const sha256 = tokenHashOf(request);
    return (access) => access === null || (sha256 !== null && access.#mayHave(sha256, asked));
  }

  /**
   * Checks that a request may be carried out.
   *
   * @throws HttpError 401 without a valid token, 403 where the token does not give the right
   */
  check(request: FastifyRequest, asked: Asked): void {
    if (tokenHashOf(request) === null)
      throw new HttpError(401, "no token: this API requires a bearer token, as given by fleetctl's --token-file");
    const token = this.tokenOf(request);
    if (token === null) throw new HttpError(401, "invalid token");
    const refusal = refusalOf(token, asked, this.#now());
    if (refusal !== null) throw new HttpError(refusal.status, refusal.message);
  }

  #mayHave(sha256: string, asked: Asked): boolean {
    const token = this.#tokens.get(sha256);
    return token !== undefined && refusalOf(token, asked, this.#now()) === null;
  }
}

/** Of each request made once: several steps of its handling ask who sends it. */
const hashes = new WeakMap<FastifyRequest, string | null>();

/**
 * The SHA-256 of the token that a request has shown; null: there is none. The time that a look-up of a hash takes does
 * not depend on how much of a guessed token is right.
 */
function tokenHashOf(request: FastifyRequest): string | null {
  const known = hashes.get(request);
  if (known !== undefined) return known;
  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const hash = token === undefined ? null : createHash("sha256").update(token).digest("hex");
  hashes.set(request, hash);
  return hash;
}

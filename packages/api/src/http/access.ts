import { createHash } from "node:crypto";
import type { ApiToken } from "@fleet/config";
import { HttpError } from "./errors.ts";

/** Decides who may do what, by bearer tokens. Only the hashes of the tokens are known. */
export class Access {
  readonly #roles: ReadonlyMap<string, ApiToken["role"]>;

  constructor(tokens: readonly ApiToken[]) {
    this.#roles = new Map(tokens.map(({ sha256, role }) => [sha256, role]));
  }

  /** Whether a request with this Authorization header may read. */
  mayRead(authorization: string | undefined): boolean {
    return this.#role(authorization) !== undefined;
  }

  /**
   * Checks that a request may be carried out.
   *
   * @param isRead it changes nothing
   * @param authorization the request's Authorization header
   * @throws HttpError 401 without a known token, 403 where a viewer wants to change something
   */
  check(isRead: boolean, authorization: string | undefined): void {
    if (tokenIn(authorization) === undefined)
      throw new HttpError(401, "no token: this API requires a bearer token, as given by fleetctl's --token-file");
    const role = this.#role(authorization);
    if (role === undefined) throw new HttpError(401, "invalid token");
    if (role === "viewer" && !isRead)
      throw new HttpError(403, "permission denied: this token is a viewer's, and changes take an operator's");
  }

  #role(authorization: string | undefined): ApiToken["role"] | undefined {
    const token = tokenIn(authorization);
    // The time that a look-up of a hash takes does not depend on how much of a guessed token is right.
    return token === undefined ? undefined : this.#roles.get(createHash("sha256").update(token).digest("hex"));
  }
}

function tokenIn(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
}

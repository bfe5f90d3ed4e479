import { createHash } from "node:crypto";
import type { ApiToken } from "@fleet/config";
import { HttpError } from "./errors.ts";

/** Requests that change nothing. */
const LOOKING: readonly string[] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/** Who may do what, by bearer tokens of which only the hashes are known. */
export class Access {
  readonly #roles: ReadonlyMap<string, ApiToken["role"]>;

  constructor(tokens: readonly ApiToken[]) {
    this.#roles = new Map(tokens.map(({ sha256, role }) => [sha256, role]));
  }

  /**
   * Lets a request pass, or not.
   *
   * @param authorization the request's header
   * @throws HttpError 401 without a known token, 403 where a viewer wants to change something
   */
  check(method: string, authorization: string | undefined): void {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    if (token === undefined)
      throw new HttpError(401, "this API wants a bearer token: give one, as with fleetctl's --token-file");
    // Looking up a hash tells nothing of how near a guess was.
    const role = this.#roles.get(createHash("sha256").update(token).digest("hex"));
    if (role === undefined) throw new HttpError(401, "the bearer token is not known here");
    if (role === "viewer" && !LOOKING.includes(method))
      throw new HttpError(403, "this token is a viewer's: changing anything takes an operator's");
  }
}

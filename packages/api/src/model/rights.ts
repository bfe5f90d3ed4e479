import type { ApiToken } from "@fleet/config";
import { globMatches } from "@fleet/domain/unit";

/** What a request asks for. A change of something else than one unit has unit null. */
export type Asked =
  | { readonly kind: "read" }
  | { readonly kind: "journal" }
  | { readonly kind: "change"; readonly unit: string | null };

/** Why a request is refused. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
}

/**
 * Whether a token gives the right to what is asked.
 *
 * @param now in milliseconds since 1970
 * @returns null: it does
 */
export function refusalOf(token: ApiToken, asked: Asked, now: number): Refusal | null {
  if (token.expires !== null && now >= token.expires)
    return { status: 401, message: `this token expired at ${new Date(token.expires).toISOString()}: use a new one` };
  if (asked.kind === "read") return null;
  if (asked.kind === "journal")
    return token.journal
      ? null
      : denied("this token may not read journals: its line in the tokens file lacks journal=yes");
  if (token.role === "viewer") return denied("this token has role viewer, and a change needs role operator");
  const { units } = token;
  if (units === null) return null;
  const { unit } = asked;
  if (unit === null) return denied(`this token may change nothing but units that match ${units.join(" or ")}`);
  if (units.some((glob) => globMatches(glob, unit))) return null;
  return denied(`this token may change only units that match ${units.join(" or ")}`);
}

function denied(why: string): Refusal {
  return { status: 403, message: `permission denied: ${why}` };
}

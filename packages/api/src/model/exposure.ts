/** A socket of the API, as far as it matters who can use it. */
export interface Exposure {
  readonly address: string;
  readonly reach: "unix" | "loopback" | "network";
  readonly isSecure: boolean;
}

/** What keeps others from using the API. */
export interface Protection {
  /** Every request needs a token. */
  readonly hasTokens: boolean;
  /** Over TLS every client needs a certificate. */
  readonly hasClientCA: boolean;
}

const REMEDY = "set api_tokens_file";

/** What an operator is to be warned of, as sentences: who can do what by way of a socket. */
export function exposureWarnings(socket: Exposure, { hasTokens, hasClientCA }: Protection): readonly string[] {
  const { address, reach, isSecure } = socket;
  if (reach === "unix") return [];
  const warnings: string[] = [];
  if (isExposed(socket))
    warnings.push(`the API listens on ${address} without TLS: whoever is on the way can read along, tokens too`);
  if (hasTokens) return warnings;
  if (isSecure && hasClientCA)
    return [
      ...warnings,
      `the API on ${address} lets every client with a certificate of api_client_cafile run anything on every machine: ${REMEDY} to tell them apart`,
    ];
  const whoever = reach === "loopback" ? "every user and program of this machine" : "whoever reaches it";
  return [
    ...warnings,
    `the API listens on ${address} without tokens: ${whoever} can run anything on every machine: ${REMEDY}`,
  ];
}

/** Whether other machines can reach a socket, and it has no TLS. */
export function isExposed({ reach, isSecure }: Exposure): boolean {
  return reach === "network" && !isSecure;
}

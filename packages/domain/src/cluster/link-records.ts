import { isPlainPart } from "./plain-part.ts";

/** `apis/<id>`: an API that asks machines over the link, while it does, under a lease of its own. */
export interface LinkApiRecord {
  readonly id: string;
  /** host:port that agents call; an IPv6 address in brackets. */
  readonly address: string;
  /** PEM: agents trust this one certificate, and no other, at that address. */
  readonly certificate: string;
}

/** `calls/<machineID>/<id>`: an API asks that machine to call it, under a lease of seconds. */
export interface LinkCallRecord {
  readonly id: string;
  /** ID of the API. */
  readonly api: string;
  /** What the agent shows the API, base64url: good for this call only, and once. */
  readonly secret: string;
}

/** At least 128 bits. */
const LEAST_SECRET = /^[A-Za-z0-9_-]{22,128}$/;
const ADDRESS = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):\d{1,5}$/;
const MOST_CERTIFICATE = 16_384;

export function encodeLinkApi(record: LinkApiRecord): string {
  return JSON.stringify(record);
}

/** Null: nothing that a server of the link would write. */
export function decodeLinkApi(value: string): LinkApiRecord | null {
  const { id, address, certificate } = members(value);
  if (typeof id !== "string" || typeof address !== "string" || typeof certificate !== "string") return null;
  if (!isPlainPart(id) || !ADDRESS.test(address) || certificate.length > MOST_CERTIFICATE) return null;
  return { id, address, certificate };
}

export function encodeLinkCall(record: LinkCallRecord): string {
  return JSON.stringify(record);
}

/** Null: nothing that a server of the link would write. */
export function decodeLinkCall(value: string): LinkCallRecord | null {
  const { id, api, secret } = members(value);
  if (typeof id !== "string" || typeof api !== "string" || typeof secret !== "string") return null;
  return isPlainPart(id) && isPlainPart(api) && LEAST_SECRET.test(secret) ? { id, api, secret } : null;
}

function members(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}

import { object, part, string } from "./json-members.ts";

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
  const members = object(value);
  const [id, address, certificate] = [part(members?.id), string(members?.address), string(members?.certificate)];
  if (id === null || address === null || certificate === null) return null;
  return ADDRESS.test(address) && certificate.length <= MOST_CERTIFICATE ? { id, address, certificate } : null;
}

export function encodeLinkCall(record: LinkCallRecord): string {
  return JSON.stringify(record);
}

/** Null: nothing that a server of the link would write. */
export function decodeLinkCall(value: string): LinkCallRecord | null {
  const members = object(value);
  const [id, api, secret] = [part(members?.id), part(members?.api), string(members?.secret)];
  if (id === null || api === null || secret === null) return null;
  return LEAST_SECRET.test(secret) ? { id, api, secret } : null;
}

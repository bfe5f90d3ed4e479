import type { ApiToken } from "@fleet/config";

/** Who has sent a request, as far as it is known. */
export interface Sender {
  /** Its token; null: none is asked for. */
  readonly token: ApiToken | null;
  /** The common name of its TLS certificate; null: it has shown none. */
  readonly certificate: string | null;
  /** The process at the other end of a UNIX socket; null: it is not known, or came over TCP. */
  readonly peer: { readonly pid: number; readonly uid: number } | null;
  /** Its address; null: it came over a UNIX socket. */
  readonly address: string | null;
}

/** A change that was asked for, and what came of it. */
export interface AuditRecord {
  /** RFC 3339. */
  readonly time: string;
  /** Who: all that is known of it. */
  readonly token?: string;
  readonly certificate?: string;
  readonly uid?: number;
  readonly pid?: number;
  /** An address, or `unix`. */
  readonly from: string;
  /** For example `Units.Set`. */
  readonly operation: string;
  /** As it was sent. */
  readonly path: string;
  /** What of the body says what is asked for. No texts of units, which may hold secrets. */
  readonly change?: Readonly<Record<string, unknown>>;
  /** Of HTTP. */
  readonly status: number;
  /** Why it was refused or failed. */
  readonly error?: string;
}

/** Digits of a token's hash that stand for a token without a name. */
const HASH_DIGITS = 12;
/** Of one change, operations that are listed and characters of a value. */
const MOST_OPERATIONS = 20;
const MOST_CHARACTERS = 200;
/** Members of bodies that say what is asked for, beside a unit's text. */
const MEMBERS = ["desiredState", "drain", "dryRun", "limit", "most", "kind", "maxUnavailable", "onFailure", "order"];

/** The record of a change. */
export function auditRecord(
  sender: Sender,
  request: { readonly operation: string; readonly path: string; readonly body: unknown },
  answer: { readonly status: number; readonly error: string | null },
  now: Date,
): AuditRecord {
  const change = changeIn(request.body);
  return {
    time: now.toISOString(),
    ...whoOf(sender),
    from: sender.address ?? "unix",
    operation: request.operation,
    path: request.path,
    ...(Object.keys(change).length === 0 ? {} : { change }),
    status: answer.status,
    ...(answer.error === null ? {} : { error: answer.error }),
  };
}

/** A record as a sentence for people. */
export function auditSentence({ token, certificate, uid, pid, from, operation, path, status }: AuditRecord): string {
  const names = [token, certificate, uid === undefined ? undefined : `uid ${uid}, pid ${pid}`];
  const who = names.filter((name) => name !== undefined).join(", ");
  return `audit: ${operation} ${path} by ${who === "" ? "somebody" : who} from ${from}: ${status}`;
}

/** A sender in a few words, for the history of units; null: nothing is known of it. */
export function senderName(sender: Sender): string | null {
  const { token, certificate, uid } = whoOf(sender);
  if (token !== undefined) return `token ${token}`;
  if (certificate !== undefined) return `certificate ${certificate}`;
  if (uid !== undefined) return `uid ${uid} over the socket`;
  return sender.address;
}

function whoOf({ token, certificate, peer }: Sender): Pick<AuditRecord, "token" | "certificate" | "uid" | "pid"> {
  return {
    ...(token === null ? {} : { token: token.name === "" ? token.sha256.slice(0, HASH_DIGITS) : token.name }),
    ...(certificate === null ? {} : { certificate }),
    ...(peer === null ? {} : { uid: peer.uid, pid: peer.pid }),
  };
}

function changeIn(body: unknown): Readonly<Record<string, unknown>> {
  if (Array.isArray(body)) {
    const operations = body.slice(0, MOST_OPERATIONS).map((each) => shortened(JSON.stringify(each)));
    return { operations, ...(body.length > MOST_OPERATIONS ? { more: body.length - MOST_OPERATIONS } : {}) };
  }
  if (typeof body !== "object" || body === null) return {};
  const members = body as Readonly<Record<string, unknown>>;
  const known = MEMBERS.flatMap((name): [string, unknown][] => {
    const value = members[name];
    if (typeof value === "string") return [[name, shortened(value)]];
    return typeof value === "number" || typeof value === "boolean" ? [[name, value]] : [];
  });
  const { options } = members;
  return { ...Object.fromEntries(known), ...(Array.isArray(options) ? { options: options.length } : {}) };
}

function shortened(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}…`;
}

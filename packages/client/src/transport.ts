import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Endpoint, endpointText } from "./endpoint.ts";
import { FleetApiError } from "./errors.ts";

/** PEM texts for https. */
export interface TlsFiles {
  /** CA certificates instead of the system's; null: the system's. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

/** An answer. Its body is parsed where it is JSON, and a string where it is not. */
export interface Response {
  readonly status: number;
  readonly body: unknown;
  readonly headers: IncomingHttpHeaders;
  /** True: an earlier attempt got no answer, and may have been carried out. */
  readonly isRepeated: boolean;
}

interface Exchange<T> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly result: T;
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string | undefined;
  readonly timeoutMs: number;
}

const BASE = "/fleet/v1";
/** Most requests at a time; more wait. Servers of all versions accept many more. */
const MOST_SOCKETS = 64;
/** Errors of a request whose server is being restarted. */
const BROKEN: readonly unknown[] = ["ECONNRESET", "EPIPE"];
/** Errors of a request while the server's socket is not open, and where there is no server at all. */
const REFUSED: readonly unknown[] = ["ECONNREFUSED"];
/** Idempotent methods of the API: carried out twice, they lead to the same state as once. */
const REPEATABLE: readonly string[] = ["GET", "PUT", "DELETE"];
/** Most attempts where the connection is refused: there may be no server, and users should know soon. */
const MOST_WHERE_REFUSED = 3;
/**
 * Most attempts where the connection broke: each restart of a socket breaks waiting requests, and several may follow.
 */
const MOST_WHERE_BROKEN = 6;
const PAUSE_MS = 60;

type Connect = () => Duplex;

/** How requests are sent; null: not used. */
export interface TransportOptions {
  readonly timeoutMs: number;
  readonly tls: TlsFiles | null;
  readonly token: string | null;
  readonly connect: Connect | null;
}

/** How one request differs from the others. */
export interface RequestOptions {
  /** Absent: the transport's own. */
  readonly timeoutMs?: number;
}

/** Sends requests over kept connections, each within a time-out: to the first of its endpoints, then to where it was answered. */
export class Transport {
  readonly #endpoints: readonly Endpoint[];
  readonly #timeoutMs: number;
  readonly #tls: TlsFiles | null;
  readonly #token: string | null;
  readonly #connect: Connect | null;
  readonly #agents = new Map<Endpoint, Promise<HttpAgent>>();
  #endpoint: Endpoint;
  #server = "";

  /** @param endpoints of the same cluster's APIs, at least one */
  constructor(endpoints: readonly [Endpoint, ...Endpoint[]], { timeoutMs, tls, token, connect }: TransportOptions) {
    this.#endpoints = endpoints;
    [this.#endpoint] = endpoints;
    this.#timeoutMs = timeoutMs;
    this.#tls = tls;
    this.#token = token;
    this.#connect = connect;
  }

  /** The `Server` header of the last answer; empty before the first. */
  get server(): string {
    return this.#server;
  }

  /** The endpoint that requests go to now. */
  get where(): string {
    return endpointText(this.#endpoint);
  }

  /**
   * Sends a request. An idempotent one is sent again where the connection broke before an answer came, so that none is
   * lost when a server is restarted, and goes to the next endpoint where there is one.
   *
   * @throws FleetApiError where there is no answer; an error of the server is an answer
   */
  async send(method: string, path: string, body?: unknown, options: RequestOptions = {}): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const tried = this.#endpoint;
      try {
        const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
        const request = { method, path, ...withPayload(body), timeoutMs };
        const response = await this.#exchange(request, (answer, timer) =>
          readBody(answer).finally(() => clearTimeout(timer)),
        );
        const { status, headers: answered, result } = response;
        return { status, body: parse(result), headers: answered, isRepeated: attempt > 1 };
      } catch (error) {
        const hasTurned = this.#turn(error, tried, method === "GET");
        const isHarmless = REPEATABLE.includes(method) || (hasTurned && wasNotSent(error));
        const most = Math.max(mostAttempts(error), hasTurned ? this.#endpoints.length : 1);
        if (!isHarmless || attempt >= most) throw error;
        if (!hasTurned) await sleep(PAUSE_MS * attempt * (0.5 + Math.random()));
      }
    }
  }

  /**
   * Opens a stream, at the first endpoint that answers. The answer is returned as soon as its head has come, without a
   * time-out for its body.
   *
   * @param body sent by POST, of a request that only reads; absent: it is a GET
   */
  async open(
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly stream: IncomingMessage }> {
    for (let attempt = 1; ; attempt++) {
      const tried = this.#endpoint;
      try {
        const request = {
          ...{ method: body === undefined ? "GET" : "POST", path, timeoutMs: this.#timeoutMs },
          ...withPayload(body, headers),
        };
        const { status, result } = await this.#exchange(request, async (answer, timer) => {
          clearTimeout(timer);
          return answer;
        });
        return { status, stream: result };
      } catch (error) {
        if (!this.#turn(error, tried, true) || attempt >= this.#endpoints.length) throw error;
      }
    }
  }

  close(): void {
    for (const agent of this.#agents.values()) void agent.then((open) => open.destroy());
  }

  /**
   * Goes to the next endpoint, where one gave no answer and there is another.
   *
   * @param isRead false: what was sent to an endpoint that is only slow may still be carried out there, later
   * @returns whether another endpoint is the one to ask now
   */
  #turn(error: unknown, tried: Endpoint, isRead: boolean): boolean {
    const code = error instanceof FleetApiError ? error.code : null;
    if (this.#endpoints.length === 1 || !(code === "unreachable" || (code === "timeout" && isRead))) return false;
    // Another request may have gone on already.
    if (this.#endpoint !== tried) return true;
    const next = (this.#endpoints.indexOf(this.#endpoint) + 1) % this.#endpoints.length;
    this.#endpoint = this.#endpoints[next] ?? this.#endpoint;
    return true;
  }

  async #exchange<T>(
    { method, path, headers: given, payload, timeoutMs }: Request,
    read: (answer: IncomingMessage, timer: NodeJS.Timeout | undefined) => Promise<T>,
  ): Promise<Exchange<T>> {
    const headers = this.#token === null ? given : { ...given, authorization: `Bearer ${this.#token}` };
    const endpoint = this.#endpoint;
    const { where } = this;
    const made = this.#agents.get(endpoint) ?? this.#makeAgent(endpoint);
    this.#agents.set(endpoint, made);
    const agent = await made;
    const { promise, resolve, reject } = Promise.withResolvers<Exchange<T>>();
    const fail = (code: "unreachable" | "timeout", reason: string, cause?: unknown): void =>
      reject(new FleetApiError(code, `fleet's API at ${where} ${reason}`, { cause }));
    const target =
      endpoint.kind === "unix"
        ? { socketPath: endpoint.path, headers: { host: "fleet", ...headers } }
        : { host: endpoint.host, port: endpoint.port, headers };
    const options = { ...target, agent, method, path: BASE + path };
    const onAnswer = (answer: IncomingMessage): void => {
      this.#server = String(answer.headers.server ?? "");
      read(answer, timer).then(
        (result) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, result }),
        (error: unknown) => fail("unreachable", "closed the connection before its answer was complete", error),
      );
    };
    const sent: ClientRequest = isSecure(endpoint)
      ? (await import("node:https")).request(options, onAnswer)
      : httpRequest(options, onAnswer);
    let timer: NodeJS.Timeout | undefined;
    // The time-out begins with the connection: the time that a request waits for one is not the server's.
    sent.once("socket", () => {
      timer = setTimeout(() => {
        fail("timeout", `did not answer within ${timeoutMs / 1000} s`);
        giveUp(sent);
      }, timeoutMs);
    });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      fail("unreachable", `can't be reached: ${whyUnreachable(error)}`, error);
    });
    sent.end(payload);
    return promise;
  }

  async #makeAgent(endpoint: Endpoint): Promise<HttpAgent> {
    const options = { keepAlive: true, maxSockets: MOST_SOCKETS };
    const connect = this.#connect;
    if (isSecure(endpoint)) {
      const { Agent } = await import("node:https");
      const { ca, cert, key } = this.#tls ?? { ca: null, cert: null, key: null };
      const secure = new Agent({
        ...options,
        ...(ca === null ? {} : { ca }),
        ...(cert === null ? {} : { cert }),
        ...(key === null ? {} : { key }),
      });
      const tls = await import("node:tls");
      secure.createConnection = (target) => {
        const socket = connect?.() ?? connectTcp(target as { host: string; port: number });
        const secured = tls.connect({ ...(target as object), socket });
        if (connect === null) CARRIERS.set(secured, socket as Socket);
        return secured;
      };
      return secure;
    }
    const agent = new HttpAgent(options);
    if (connect !== null) agent.createConnection = () => connect() as never;
    return agent;
  }
}

function isSecure(endpoint: Endpoint): boolean {
  return endpoint.kind === "tcp" && endpoint.isSecure;
}

/** Whether nobody can have received a request: there was no connection to send it over. */
function wasNotSent(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === "ECONNREFUSED" || code === "ENOENT";
}

/** The TCP connection under each TLS connection. */
const CARRIERS = new WeakMap<Socket, Socket>();

/**
 * Ends a request whose time is up. With the network cut, the kernel keeps trying to deliver what was sent, even after
 * the connection is closed here. The request would then be carried out after later ones. A reset makes the kernel drop
 * it.
 */
function giveUp(sent: ClientRequest): void {
  const { socket } = sent;
  const carrier = socket === null ? undefined : (CARRIERS.get(socket) ?? socket);
  // Unix sockets, and connections that are not open yet, have sent nothing that could still be delivered.
  if (carrier?.remotePort !== undefined && !carrier.connecting && !carrier.destroyed) carrier.resetAndDestroy();
  sent.destroy();
}

/** A body as it is sent, and the headers that it needs beside the others. */
function withPayload(
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Pick<Request, "headers" | "payload"> {
  if (body === undefined) return { headers, payload: undefined };
  const payload = JSON.stringify(body);
  const length = String(Buffer.byteLength(payload));
  return { headers: { ...headers, "content-type": "application/json", "content-length": length }, payload };
}

/** Most attempts at a request that failed in this way. */
function mostAttempts(error: unknown): number {
  const code = error instanceof FleetApiError ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
  if (BROKEN.includes(code)) return MOST_WHERE_BROKEN;
  return REFUSED.includes(code) ? MOST_WHERE_REFUSED : 1;
}

function whyUnreachable({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case "ENOENT":
      return "no such socket. Is fleetd running here? Otherwise name a server with --endpoint";
    case "ECONNREFUSED":
      return "connection refused. Is fleetd running? Otherwise name a server with --endpoint";
    case "EACCES":
      return "permission denied: open it as a member of the group that owns the socket";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "unknown host";
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "its certificate is not signed by a trusted CA: name the CA's file with --ca-file";
    default:
      return message;
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let body = "";
  for await (const chunk of response) body += chunk;
  return body;
}

function parse(body: string): unknown {
  if (body === "") return null;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

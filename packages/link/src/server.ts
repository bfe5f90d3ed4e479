import { randomBytes } from "node:crypto";
import { RegistryError } from "@fleet/domain/cluster";
import type { Registry } from "@fleet/registry";
import { Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { LINK_SERVICE } from "./contract.ts";
import { LinkError } from "./errors.ts";
import { ExpectedCalls } from "./expected-calls.ts";
import { CHANNEL_OPTIONS } from "./limits.ts";
import type { BaseLog } from "./log.ts";
import type { Answer, FromAgent, FromApi, Question } from "./messages.ts";
import { ApiPresence } from "./presence.ts";

type AgentStream = ServerDuplexStream<FromAgent, FromApi>;

/** What the API's end of the link is built from. */
export interface LinkServerOptions {
  readonly registry: Registry;
  readonly log: BaseLog;
  readonly listen: { readonly host: string; readonly port: number };
  /** What agents call; port 0: the one that is listened on. */
  readonly advertise: { readonly host: string; readonly port: number };
  /** Most streams at a time; 1,000 by default. */
  readonly mostStreams?: number;
  /** How long an agent may take to call; 10,000 by default. */
  readonly answerMs?: number;
}

/** How one question is asked. */
export interface AskOptions {
  /** Aborted: no more is wanted. */
  readonly signal?: AbortSignal;
}

const MOST_STREAMS = 1_000;
const ANSWER_MS = 10_000;
/** How long a caller may take to say hello. */
const HELLO_MS = 5_000;
/** Callers that have not said hello; agents take milliseconds for it. */
const MOST_STRANGERS = 256;
const ID_BYTES = 8;

/**
 * The API's end of the link: asks agents, who call it for that. It listens from `start` on; in etcd it is only while it asks
 * something.
 */
export class LinkServer {
  readonly #options: LinkServerOptions;
  readonly #id = randomBytes(ID_BYTES).toString("hex");
  readonly #server: Server;
  readonly #expected = new ExpectedCalls<AgentStream>();
  readonly #stopping = new AbortController();
  #presence: ApiPresence | null = null;
  #streams = 0;
  #strangers = 0;

  constructor(options: LinkServerOptions) {
    this.#options = options;
    this.#server = new Server(CHANNEL_OPTIONS);
    this.#server.addService(LINK_SERVICE, { answer: (stream: AgentStream) => this.#meet(stream) });
  }

  /** Streams that answers come by, and questions for which none has come yet. */
  get streams(): number {
    return this.#streams;
  }

  /**
   * Opens the port.
   *
   * @returns the port
   * @throws Error where it can't be opened
   */
  async start(): Promise<number> {
    const { listen, advertise, registry, log } = this.#options;
    const { makeCertificate } = await import("./certificate.ts");
    const { certificate, key } = makeCertificate();
    const pair = { cert_chain: Buffer.from(certificate), private_key: Buffer.from(key) };
    const credentials = ServerCredentials.createSsl(null, [pair]);
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(hostPort(listen.host, listen.port), credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const address = hostPort(advertise.host, advertise.port === 0 ? port : advertise.port);
    this.#presence = new ApiPresence(registry, { id: this.#id, address, certificate }, log);
    return port;
  }

  /**
   * Asks a machine. The answers are read from its agent as they are asked for here, and no faster. Whoever stops reading
   * (`break`, or the signal) has the agent stop.
   *
   * @throws LinkError (while iterating)
   */
  async *ask(machineID: string, question: Question, { signal }: AskOptions = {}): AsyncGenerator<Answer, void> {
    const { mostStreams = MOST_STREAMS } = this.#options;
    if (this.#streams >= mostStreams)
      throw new LinkError("api-busy", `this API holds ${mostStreams} streams, and can't hold more: ask another one`);
    this.#streams++;
    const over = AbortSignal.any([this.#stopping.signal, ...(signal === undefined ? [] : [signal])]);
    let stream: AgentStream | null = null;
    try {
      stream = await this.#called(machineID, over);
      stream.write({ question });
      yield* answersOf(stream, over);
    } catch (error) {
      if (signal?.aborted === true) return;
      if (this.#stopping.signal.aborted) throw new LinkError("stopped", "this API stops", { cause: error });
      throw error;
    } finally {
      stream?.end();
      this.#streams--;
    }
  }

  /** Ends every stream and closes the port. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#presence?.close();
    this.#server.forceShutdown();
  }

  /** The stream of an agent that was asked to call. */
  async #called(machineID: string, over: AbortSignal): Promise<AgentStream> {
    const presence = this.#presence;
    if (presence === null || over.aborted) throw new LinkError("stopped", "this API's end of the link is not open");
    const { answerMs = ANSWER_MS } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<AgentStream>();
    const call = this.#expected.expect(this.#id, machineID, resolve);
    const late = setTimeout(
      () => reject(new LinkError("no-answer", `the machine does not answer within ${answerMs / 1000} s`)),
      answerMs,
    );
    const onOver = (): void => reject(new LinkError("stopped", "nobody waits for the answer any more"));
    over.addEventListener("abort", onOver, { once: true });
    try {
      return await Promise.race([promise, written(presence.call(machineID, call), promise)]);
    } catch (error) {
      void presence.takeBack(machineID, call.id);
      if (!(error instanceof RegistryError)) throw error;
      throw new LinkError("no-answer", `the machine can't be asked without etcd: ${error.message}`, { cause: error });
    } finally {
      clearTimeout(late);
      over.removeEventListener("abort", onOver);
      this.#expected.forget(call.id);
    }
  }

  /** Hears who calls. A stream is nobody's until its caller has shown the secret of a call. */
  #meet(stream: AgentStream): void {
    // A stream that breaks ends what reads it; without a listener the error would end the daemon.
    stream.on("error", () => undefined);
    if (this.#strangers >= MOST_STRANGERS) return refuse(stream, "too many callers that have not said who they are");
    this.#strangers++;
    const late = setTimeout(() => leave("the caller has not said who it is"), HELLO_MS);
    const done = (): void => {
      clearTimeout(late);
      stream.off("data", hear);
      stream.off("close", done);
      this.#strangers = Math.max(0, this.#strangers - 1);
    };
    const leave = (why: string): void => {
      done();
      refuse(stream, why);
    };
    const hear = ({ hello }: FromAgent): void => {
      stream.pause();
      if (hello === undefined) return leave("a call begins with hello");
      done();
      if (this.#expected.admit(hello, stream)) return;
      this.#options.log.debug("a caller was refused: no call with this secret is waited for");
      refuse(stream, "no call with this secret is waited for");
    };
    stream.on("data", hear);
    stream.on("close", done);
  }
}

/** Waits for a write without outliving it: a call that was answered is there, whatever its write says. */
async function written(write: Promise<void>, answered: Promise<AgentStream>): Promise<AgentStream> {
  await write;
  return answered;
}

function refuse(stream: AgentStream, details: string): void {
  close(stream, status.UNAUTHENTICATED, details);
}

/** What an agent answers, until it says end. */
async function* answersOf(stream: AgentStream, over: AbortSignal): AsyncGenerator<Answer, void> {
  const onOver = (): void => close(stream, status.CANCELLED, "nobody reads the answer any more");
  over.addEventListener("abort", onOver, { once: true });
  try {
    // The stream stays open for its status: an iterator that destroyed it would leave the agent without a word.
    const messages: AsyncIterable<FromAgent> = stream.iterator({ destroyOnReturn: false });
    for await (const message of messages) {
      if (message.end !== undefined) return;
      if (message.failure !== undefined) throw failureOf(message.failure);
      yield message;
    }
  } catch (error) {
    if (error instanceof LinkError) throw error;
    throw new LinkError("broken", CONNECTION_LOST, { cause: error });
  } finally {
    over.removeEventListener("abort", onOver);
  }
  throw new LinkError("broken", CONNECTION_LOST);
}

const CONNECTION_LOST = "the connection to the machine was lost";

/** Ends a stream with a status. grpc-js takes it by an error. */
function close(stream: AgentStream, code: status, details: string): void {
  stream.emit("error", Object.assign(new Error(details), { code, details }));
}

const FAILURE_CODES = {
  FAILED: "failed",
  BUSY: "machine-busy",
  UNKNOWN_VERB: "unknown-verb",
  REFUSED: "refused",
} as const;

function failureOf({ code, text }: NonNullable<FromAgent["failure"]>): LinkError {
  return new LinkError(FAILURE_CODES[code ?? "FAILED"] ?? "failed", text ?? "the machine does not say why");
}

/** host:port as gRPC and a URL have it. */
export function hostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

import { setTimeout as sleep } from "node:timers/promises";
import { decodeLinkCall, type LinkCallRecord, RegistryError } from "@fleet/domain/cluster";
import { backoff, SaidOnce } from "@fleet/loop";
import type { Registry } from "@fleet/registry";
import type { ApiChannel, ApiStream } from "./api-channel.ts";
import { ApiChannels } from "./api-channels.ts";
import { LINK_VERSION } from "./contract.ts";
import { RefusedQuestion } from "./errors.ts";
import type { BaseLog } from "./log.ts";
import type { Answer, FailureCode, FromAgent, Question } from "./messages.ts";
import { answersTo, UnknownVerb, type Verbs } from "./verbs.ts";

/** What the agent's end of the link is built from. */
export interface LinkAnswererOptions {
  readonly registry: Registry;
  readonly log: BaseLog;
  readonly machineID: string;
  readonly verbs: Verbs;
  /** Most streams at a time; 64 by default. */
  readonly mostStreams?: number;
  /** Between two looks for calls where etcd may not be watched; null or absent: it is watched. */
  readonly pollMs?: number | null;
}

const MOST_STREAMS = 64;
/** So many more are told that the machine is busy; beyond them a call is not made at all. */
const MOST_REFUSALS = 64;
/** How long it waits where etcd refuses what trying again does not change. */
const FORBIDDEN_MS = 60_000;
/** How long it may take to reach the API and to be asked: the API waits not much longer. */
const QUESTION_MS = 8_000;

/**
 * The agent's end of the link: hears of calls in etcd by one watch, makes them, and answers what it is asked. While nobody
 * asks there is that watch, and nothing else.
 */
export class LinkAnswerer {
  readonly #options: LinkAnswererOptions;
  readonly #channels: ApiChannels;
  readonly #running = new Set<Promise<void>>();
  readonly #seen = new Set<string>();
  #streams = 0;

  constructor(options: LinkAnswererOptions) {
    this.#options = options;
    this.#channels = new ApiChannels(options.registry);
  }

  /** Streams that are being answered. */
  get streams(): number {
    return this.#streams;
  }

  /** Connections to APIs. */
  get connections(): number {
    return this.#channels.count;
  }

  /** Answers until the signal aborts; calls that run are then cut. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let pauseMs = 0;
    const trouble = new SaidOnce<Error>(({ message }) =>
      this.#options.log.warn(`calls over the link are not heard of, trying again: ${message}`),
    );
    while (!signal.aborted) {
      try {
        await this.#follow(signal, () => {
          failures = 0;
          trouble.over();
        });
        pauseMs = this.#options.pollMs ?? backoff(failures);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        trouble.say(error);
        // A user of etcd that may not read calls/, as of rights that are older than the link, gets them in a while or never.
        pauseMs = error.retryable ? backoff(failures) : FORBIDDEN_MS;
      }
      failures++;
      if (!signal.aborted) await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    await Promise.all(this.#running);
  }

  /** Takes the calls that are there, and, where etcd is watched, those that come until the watch breaks. */
  async #follow(signal: AbortSignal, onOpen: () => void): Promise<void> {
    const { registry, machineID } = this.#options;
    const range = registry.keys.callsOf(machineID);
    const { keyValues, revision } = await registry.etcd.range(range, { limit: MOST_STREAMS + MOST_REFUSALS });
    const there = new Set(keyValues.map(({ key }) => key));
    for (const key of this.#seen) if (!there.has(key)) this.#seen.delete(key);
    for (const { key, value } of keyValues) this.#take(key, value, signal);
    if (this.#options.pollMs != null) return onOpen();
    await registry.etcd.watch(
      [{ range, from: revision + 1 }],
      signal,
      ({ events }) => {
        for (const event of events)
          if (event.kind === "put") this.#take(event.keyValue.key, event.keyValue.value, signal);
          else this.#seen.delete(event.key);
      },
      onOpen,
    );
  }

  /** Makes a call, unless it has been made: a list shows calls that the watch before has shown. */
  #take(key: string, value: string, signal: AbortSignal): void {
    const call = decodeLinkCall(value);
    const { log, mostStreams = MOST_STREAMS } = this.#options;
    if (call === null) return log.warn(`${key} in etcd is no call over the link, and is left alone`);
    if (this.#seen.has(key) || this.#running.size >= mostStreams + MOST_REFUSALS) return;
    this.#seen.add(key);
    const { etcd } = this.#options.registry;
    void etcd
      .txn([], [{ delete: key }])
      .catch((error: Error) => log.debug(`a call stays in etcd until its lease ends: ${error.message}`));
    const running = this.#call(call, signal).catch((error: Error) => log.warn(error.message));
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  async #call(call: LinkCallRecord, signal: AbortSignal): Promise<void> {
    const channel = await this.#channels.take(call.api);
    try {
      await this.#answer(channel, call, signal);
    } catch (error) {
      const { address, isConnected } = channel;
      const what = isConnected ? "that asks over the link could not be answered" : "can't be reached over the link";
      throw new Error(`the API at ${address} ${what}: ${(error as Error).message}`, { cause: error });
    } finally {
      this.#channels.giveBack(call.api, channel);
    }
  }

  async #answer(channel: ApiChannel, { id, secret }: LinkCallRecord, signal: AbortSignal): Promise<void> {
    const stream = channel.open();
    const over = new AbortController();
    // At once, whatever a verb is about: the API is to know that nothing more comes.
    over.signal.addEventListener("abort", () => stream.cancel(), { once: true });
    const end = (): void => over.abort();
    const { promise: asked, resolve, reject } = Promise.withResolvers<Question | null>();
    stream.on("error", (error) => {
      reject(error);
      end();
    });
    stream.on("end", end);
    stream.on("close", end);
    stream.on("data", ({ question }) => resolve(question ?? {}));
    over.signal.addEventListener("abort", () => resolve(null), { once: true });
    signal.addEventListener("abort", end, { once: true });
    const late = setTimeout(() => {
      const what = channel.isConnected ? "it did not ask" : "there was no connection";
      reject(new Error(`${what} within ${QUESTION_MS / 1000} s`));
      end();
    }, QUESTION_MS);
    try {
      stream.write({
        hello: {
          ...{ call: id, machineId: this.#options.machineID, version: LINK_VERSION },
          secret: Buffer.from(secret, "base64url"),
        },
      });
      const question = await asked;
      clearTimeout(late);
      if (question !== null) await this.#serve(stream, question, over.signal);
    } finally {
      clearTimeout(late);
      signal.removeEventListener("abort", end);
      over.abort();
    }
  }

  /** Sends what a verb answers, no faster than it is read at the other end. */
  async #serve(stream: ApiStream, question: Question, signal: AbortSignal): Promise<void> {
    const { mostStreams = MOST_STREAMS, verbs } = this.#options;
    if (this.#streams >= mostStreams)
      return finish(
        stream,
        failure("BUSY", `the machine answers ${mostStreams} questions, and no more at a time`),
        signal,
      );
    this.#streams++;
    try {
      for await (const answer of answersTo(verbs, question, signal)) {
        if (signal.aborted) return;
        await send(stream, answer, signal);
      }
      await finish(stream, { end: {} }, signal);
    } catch (error) {
      const code: FailureCode =
        error instanceof UnknownVerb ? "UNKNOWN_VERB" : error instanceof RefusedQuestion ? "REFUSED" : "FAILED";
      await finish(stream, failure(code, error instanceof Error ? error.message : String(error)), signal);
    } finally {
      this.#streams--;
    }
  }
}

function failure(code: FailureCode, text: string): FromAgent {
  return { failure: { code, text } };
}

/** Hands a message to gRPC, and waits until there is room for the next; at once where nobody wants more. */
async function send(stream: ApiStream, message: FromAgent | Answer, signal: AbortSignal): Promise<void> {
  if (signal.aborted || stream.write(message)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const goOn = (): void => resolve();
  stream.once("drain", goOn);
  signal.addEventListener("abort", goOn, { once: true });
  await promise;
  stream.off("drain", goOn);
  // A stream waits here hundreds of times a second for hours: listeners that stay would make each wait longer than the last.
  signal.removeEventListener("abort", goOn);
}

/** The last message. The other end closes the stream when it has read it; a cancel before that would lose it. */
async function finish(stream: ApiStream, message: FromAgent, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  stream.write(message);
  stream.end();
  await promise;
}

import { randomBytes, timingSafeEqual } from "node:crypto";
import type { LinkCallRecord } from "@fleet/domain/cluster";
import { secretHash } from "./secret.ts";

/** How long a secret is good. */
const SECRET_MS = 30_000;
const SECRET_BYTES = 32;
const ID_BYTES = 16;

/** A call that an agent is waited for to make. */
interface Expected<Stream> {
  readonly machineID: string;
  readonly hash: Buffer;
  /** By the clock of this process. */
  readonly until: number;
  readonly take: (stream: Stream) => void;
}

/**
 * The calls that agents are waited for to make. A secret opens the one call that it was made for, of that machine, once,
 * and for half a minute.
 */
export class ExpectedCalls<Stream> {
  readonly #calls = new Map<string, Expected<Stream>>();
  readonly #now: () => number;

  /** @param now milliseconds on a clock that is never set */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get size(): number {
    return this.#calls.size;
  }

  /**
   * A new call, to be written to etcd.
   *
   * @param take is given the agent's stream once it has shown the secret
   */
  expect(api: string, machineID: string, take: (stream: Stream) => void): LinkCallRecord {
    const secret = randomBytes(SECRET_BYTES);
    const id = randomBytes(ID_BYTES).toString("hex");
    this.#calls.set(id, { machineID, hash: secretHash(secret), until: this.#now() + SECRET_MS, take });
    return { id, api, secret: secret.toString("base64url") };
  }

  /** Waits for a call no longer. */
  forget(id: string): void {
    this.#calls.delete(id);
  }

  /**
   * Hands a stream to whoever waits for it, if what its agent says is right. Whoever shows a wrong secret has used up
   * nothing: it would be a way to stop the agent that has the right one.
   *
   * @returns whether it was
   */
  admit(
    hello: { readonly call: string; readonly machineId: string; readonly secret: Uint8Array },
    stream: Stream,
  ): boolean {
    const expected = this.#calls.get(hello.call);
    const isRight =
      timingSafeEqual(secretHash(hello.secret), expected?.hash ?? NO_HASH) &&
      expected !== undefined &&
      expected.machineID === hello.machineId &&
      this.#now() < expected.until;
    if (!isRight) return false;
    this.#calls.delete(hello.call);
    expected.take(stream);
    return true;
  }
}

const NO_HASH = Buffer.alloc(32);

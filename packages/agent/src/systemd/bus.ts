/// <reference path="./dbus-next-internals.d.ts" />
import dbus, { type Message, type MessageBus } from "dbus-next";
import DBusBuffer from "dbus-next/lib/dbus-buffer.js";
import { SystemdError } from "./systemd.ts";
import { NO_ANSWER_ERRORS, PROPERTIES_CHANGED_SIGNATURE } from "./wire.ts";

/** How long a call may take before it counts as failed. */
const CALL_MS = 30_000;
/** dbus-daemon allows a connection 128 calls without an answer. */
const MOST_CALLS = 64;

/** What dbus-next has but does not declare. */
interface BusInternals {
  readonly _connection: { readonly stream: NodeJS.EventEmitter & { destroy(): void } };
  readonly _methodReturnHandlers: Record<number, unknown>;
}

skipPropertiesBodies();

/**
 * A connection to D-Bus with what dbus-next leaves to its users: time-outs, a bound on calls under way, and an end for
 * all calls when the connection is lost.
 */
export class Bus {
  readonly lost: Promise<void>;
  readonly #bus: MessageBus;
  readonly #pending = new Set<(error: SystemdError) => void>();
  readonly #queue: (() => void)[] = [];
  #underWay = 0;
  #isLost = false;

  private constructor(bus: MessageBus) {
    this.#bus = bus;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.lost = promise;
    const lose = (): void => {
      if (this.#isLost) return;
      this.#isLost = true;
      for (const fail of this.#pending) fail(connectionLost());
      this.#pending.clear();
      for (const next of this.#queue.splice(0)) next();
      this.close();
      resolve();
    };
    bus.on("error", lose);
    internals(bus)._connection.stream.once("close", lose);
  }

  /**
   * Connects to the system's bus, or to that of the user this process runs as.
   *
   * @throws SystemdError `unavailable` where there is no bus
   */
  static connect(useUserBus: boolean): Promise<Bus> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        const reason = error instanceof Error ? error.message : String(error);
        const what = useUserBus
          ? "the user's D-Bus (DBUS_SESSION_BUS_ADDRESS, or bus in XDG_RUNTIME_DIR)"
          : "the system's D-Bus";
        reject(new SystemdError(`${what} can't be reached: ${reason}`, { unavailable: true, cause: error }));
      };
      const timer = setTimeout(() => fail(new Error("no answer")), CALL_MS);
      try {
        const bus = useUserBus ? dbus.sessionBus({ busAddress: userBusAddress(process.env) }) : dbus.systemBus();
        bus.on("error", fail);
        internals(bus)._connection.stream.once("close", () => fail(new Error("the connection was closed")));
        bus.once("connect", () => {
          clearTimeout(timer);
          resolve(new Bus(bus)); // which listens to errors too: a bus that nobody listened to would end the daemon
        });
      } catch (error) {
        fail(error);
      }
    });
  }

  /** Whether the connection is gone for good. */
  get isLost(): boolean {
    return this.#isLost;
  }

  onMessage(listener: (message: Message) => void): void {
    this.#bus.on("message", listener);
  }

  /** Calls a method and returns the body of its answer. */
  async call(call: {
    readonly destination: string;
    readonly path: string;
    readonly interface: string;
    readonly member: string;
    readonly signature: string;
    readonly body: unknown[];
  }): Promise<unknown[]> {
    if (this.#underWay >= MOST_CALLS) await new Promise<void>((resolve) => this.#queue.push(resolve));
    if (this.#isLost) throw connectionLost();
    this.#underWay++;
    const { promise, reject } = Promise.withResolvers<never>();
    const message = new dbus.Message(call);
    const timer = setTimeout(() => {
      delete internals(this.#bus)._methodReturnHandlers[message.serial ?? -1];
      reject(
        new SystemdError(`systemd did not answer ${call.member} within ${CALL_MS / 1000} s`, { unavailable: true }),
      );
    }, CALL_MS);
    this.#pending.add(reject);
    try {
      const answer = await Promise.race([this.#bus.call(message), promise]);
      return answer?.body ?? [];
    } catch (error) {
      throw systemdError(error);
    } finally {
      clearTimeout(timer);
      this.#pending.delete(reject);
      this.#underWay--;
      this.#queue.shift()?.();
    }
  }

  close(): void {
    internals(this.#bus)._connection.stream.destroy();
  }
}

function internals(bus: MessageBus): BusInternals {
  return bus as unknown as BusInternals;
}

function connectionLost(): SystemdError {
  return new SystemdError("the connection to D-Bus was lost", { unavailable: true });
}

function systemdError(error: unknown): SystemdError {
  if (error instanceof SystemdError) return error;
  const { type, text, message } = error as { type?: string; text?: string; message?: string };
  const unavailable = type !== undefined && NO_ANSWER_ERRORS.has(type);
  return new SystemdError(text ?? message ?? String(error), { type: type ?? "", cause: error, unavailable });
}

/**
 * Keeps dbus-next from decoding the bodies of PropertiesChanged: systemd sends a dozen for each unit that starts, of a
 * thousand bytes each, and decoding them costs four times what the rest of the message does.
 */
function skipPropertiesBodies(): void {
  const { read } = DBusBuffer.prototype;
  DBusBuffer.prototype.read = function (this: typeof DBusBuffer.prototype, signature: string): unknown {
    return signature === PROPERTIES_CHANGED_SIGNATURE ? [this.readSimpleType("s"), [], []] : read.call(this, signature);
  };
}

/** Where the user's bus is: as the environment says, else where systemd puts it. */
function userBusAddress(env: NodeJS.ProcessEnv): string {
  if (env.DBUS_SESSION_BUS_ADDRESS) return env.DBUS_SESSION_BUS_ADDRESS;
  if (env.XDG_RUNTIME_DIR) return `unix:path=${env.XDG_RUNTIME_DIR}/bus`;
  throw new SystemdError("neither variable is set", { unavailable: true });
}

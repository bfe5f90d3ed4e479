import dbus, { type Message, type MessageBus } from "dbus-next";
import pLimit from "p-limit";
import { accessTo, type BusAccess, skipBodies } from "./dbus-next-access.ts";
import { SystemdError } from "./systemd.ts";
import { NO_ANSWER_ERRORS, PROPERTIES_CHANGED_SIGNATURE } from "./wire.ts";

/** How long a call may take before it counts as failed. */
const CALL_MS = 30_000;
/** dbus-daemon allows a connection 128 calls without an answer. */
const MOST_CALLS = 64;

// systemd sends a dozen PropertiesChanged for each unit that starts, of a thousand bytes each.
skipBodies(PROPERTIES_CHANGED_SIGNATURE);

/** A method of an object on the bus, and what it is called with. */
export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly body: unknown[];
}

/** @throws SystemdError where dbus-next lacks what is needed of it; the connection is closed then. */
function accessOrClose(bus: MessageBus): BusAccess {
  try {
    return accessTo(bus);
  } catch (error) {
    bus.disconnect();
    throw error;
  }
}

/**
 * A connection to D-Bus with what dbus-next leaves to its users: time-outs, a bound on calls under way, and an end for
 * all calls when the connection is lost.
 */
export class Bus {
  readonly lost: Promise<void>;
  readonly #bus: MessageBus;
  readonly #access: BusAccess;
  readonly #pending = new Set<(error: SystemdError) => void>();
  readonly #limit = pLimit(MOST_CALLS);
  #isLost = false;

  private constructor(bus: MessageBus, access: BusAccess) {
    this.#bus = bus;
    this.#access = access;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.lost = promise;
    const lose = (): void => {
      if (this.#isLost) return;
      this.#isLost = true;
      for (const fail of this.#pending) fail(connectionLost());
      this.#pending.clear();
      this.close();
      resolve();
    };
    bus.on("error", lose);
    access.onceClosed(lose);
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
        reject(error instanceof SystemdError && !error.unavailable ? error : unreachable(useUserBus, error));
      };
      const timer = setTimeout(() => fail(new Error("no answer")), CALL_MS);
      try {
        const bus = useUserBus ? dbus.sessionBus({ busAddress: userBusAddress(process.env) }) : dbus.systemBus();
        bus.on("error", fail);
        const access = accessOrClose(bus);
        access.onceClosed(() => fail(new Error("the connection was closed")));
        bus.once("connect", () => {
          clearTimeout(timer);
          resolve(new Bus(bus, access)); // which listens to errors too: a bus that nobody listened to would end the daemon
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

  /** Calls a method and returns the body of its answer. It waits its turn where as many calls are under way as may be. */
  call(call: MethodCall): Promise<unknown[]> {
    return this.#limit(() => this.#exchange(call));
  }

  async #exchange(call: MethodCall): Promise<unknown[]> {
    if (this.#isLost) throw connectionLost();
    const { promise, reject } = Promise.withResolvers<never>();
    const message = new dbus.Message(call);
    const timer = setTimeout(() => {
      this.#access.forgetCall(message);
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
    }
  }

  close(): void {
    this.#access.destroy();
  }
}

function unreachable(isUserBus: boolean, cause: unknown): SystemdError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const what = isUserBus
    ? "the user's D-Bus (DBUS_SESSION_BUS_ADDRESS, or bus in XDG_RUNTIME_DIR)"
    : "the system's D-Bus";
  return new SystemdError(`${what} can't be reached: ${reason}`, { unavailable: true, cause });
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

/** Where the user's bus is: as the environment says, else where systemd puts it. */
function userBusAddress(env: NodeJS.ProcessEnv): string {
  if (env.DBUS_SESSION_BUS_ADDRESS) return env.DBUS_SESSION_BUS_ADDRESS;
  if (env.XDG_RUNTIME_DIR) return `unix:path=${env.XDG_RUNTIME_DIR}/bus`;
  throw new SystemdError("neither variable is set", { unavailable: true });
}

/// <reference path="./dbus-next-internals.d.ts" />
import type { Message, MessageBus } from "dbus-next";
import DBusBuffer from "dbus-next/lib/dbus-buffer.js";
import { SystemdError } from "./systemd.ts";

// The one file that touches what dbus-next keeps to itself. package.json pins its version exactly.

/** What fleet needs of a bus and dbus-next has no public name for. */
export interface BusAccess {
  /** Calls back once the stream under the bus has closed, for whatever reason. */
  onceClosed(listener: () => void): void;
  /** Closes the stream at once. */
  destroy(): void;
  /** Waits no longer for the answer to a call. */
  forgetCall(message: Message): void;
}

/** The private members of a MessageBus. */
interface Internals {
  readonly _connection?: { readonly stream?: Partial<Pick<NodeJS.EventEmitter, "once"> & { destroy(): void }> };
  readonly _methodReturnHandlers?: Record<number, unknown>;
}

/**
 * Reaches into a bus.
 *
 * @throws SystemdError where this version of dbus-next does not have what is needed
 */
export function accessTo(bus: MessageBus): BusAccess {
  const { _connection, _methodReturnHandlers: handlers } = bus as unknown as Internals;
  const stream = _connection?.stream;
  if (typeof stream?.once !== "function" || typeof stream.destroy !== "function")
    throw missing("MessageBus._connection.stream");
  if (typeof handlers !== "object" || handlers === null) throw missing("MessageBus._methodReturnHandlers");
  return {
    onceClosed: (listener) => stream.once?.("close", listener),
    destroy: () => stream.destroy?.(),
    forgetCall: ({ serial }) => {
      if (serial !== null) delete handlers[serial];
    },
  };
}

/**
 * Keeps dbus-next from decoding bodies of one signature, of which it then gives the first string only: decoding costs four
 * times what the rest of such a message does.
 *
 * @param reader dbus-next's reader of bodies
 * @throws SystemdError where this version of dbus-next does not have it
 */
export function skipBodies(
  signature: string,
  reader: Partial<typeof DBusBuffer.prototype> = DBusBuffer.prototype,
): void {
  const { read } = reader;
  if (typeof read !== "function" || typeof reader.readSimpleType !== "function")
    throw missing("DBusBuffer.prototype.read and readSimpleType");
  reader.read = function (this: typeof DBusBuffer.prototype, asked: string): unknown {
    return asked === signature ? [this.readSimpleType("s"), [], []] : read.call(this, asked);
  };
}

function missing(what: string): SystemdError {
  return new SystemdError(
    `the installed dbus-next has no ${what}, which fleet needs: install the version that package.json of @fleet/agent names`,
  );
}

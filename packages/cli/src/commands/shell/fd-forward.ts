import { connect } from "node:net";
import { pipeline } from "node:stream/promises";
import type { Command } from "../../command.ts";
import { CommandError } from "../../errors.ts";

const CONNECT_MS = 10_000;

export const fdForward: Command = {
  name: "fd-forward",
  isClassic: true,
  args: "<socket>",
  summary: "Proxy stdin and stdout to a unix domain socket",
  description: `Copy standard input to a UNIX socket, and the socket's output to standard output.

This is the remote end of --tunnel for fleetctl before version 2, which runs it over SSH.`,
  flags: [],
  examples: ["fleetctl fd-forward /var/run/fleet.sock"],
  completes: "file",
  async run(_context, [path = ""]) {
    const socket = connect({ path: path.replace(/^unix:\/\//, ""), allowHalfOpen: true });
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error("connection timed out")));
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.once("connect", resolve);
      });
      socket.setTimeout(0);
      const upwards = pipeline(process.stdin, socket);
      await pipeline(socket, process.stdout, { end: false });
      // The socket's other end is done: what may still come on standard input has nowhere to go.
      process.stdin.destroy();
      await upwards.catch(() => undefined);
      return 0;
    } catch (error) {
      throw new CommandError(`socket ${path} can't be used: ${(error as Error).message}`, { cause: error });
    }
  },
};

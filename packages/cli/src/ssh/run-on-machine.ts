import type { MachineInfo } from "../client/cluster-client.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { shellLine } from "./quote.ts";
import { readPort } from "./ssh-command.ts";

/** Runs a command on a machine: here, or over SSH. Returns its exit code. */
export async function runOn(
  context: Context,
  machine: MachineInfo,
  words: readonly string[],
  sshPort: string | undefined,
): Promise<number> {
  const port = sshPort === undefined ? null : readPort(sshPort);
  if (machine.id === context.localMachineID && context.flags.ssh.tunnel === null) return context.run(words);
  return context.ssh.run(sshHostOf(machine), { kind: "command", line: shellLine(words) }, { port });
}

/** How lines are read over SSH. */
export interface LinesOptions {
  readonly sshPort: string | undefined;
  /** True: ssh is left alone with its work, as SshOptions have it. */
  readonly isUnattended?: boolean;
}

/** The lines that a command prints on a machine, as they come: here, or over SSH. Throws where it ends badly. */
export function linesOn(
  context: Context,
  machine: MachineInfo,
  words: readonly string[],
  { sshPort, isUnattended = false }: LinesOptions,
  signal: AbortSignal,
): AsyncIterable<string> {
  const port = sshPort === undefined ? null : readPort(sshPort);
  if (machine.id === context.localMachineID && context.flags.ssh.tunnel === null) return context.lines(words, signal);
  return context.ssh.lines(sshHostOf(machine), shellLine(words), { port, isUnattended }, signal);
}

/**
 * Where a machine's SSH server is.
 *
 * @throws CommandError where the machine tells no address, or something that is none
 */
export function sshHostOf({ id, primaryIP }: MachineInfo): { readonly host: string; readonly port: null } {
  if (primaryIP === "") throw new CommandError(`machine ${id} has no address: set public_ip in its fleet.conf`);
  if (!/^[0-9A-Fa-f.:%]+$/.test(primaryIP) && !/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(primaryIP))
    throw new CommandError(
      `machine ${id} has ${JSON.stringify(primaryIP)} as its address, which is neither an address nor a host name`,
    );
  return { host: primaryIP, port: null };
}

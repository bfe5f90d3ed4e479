import { execFile } from "node:child_process";

/**
 * Tells systemd that the daemon is ready, where systemd asked to be told. Node can't send datagrams to UNIX sockets, so
 * the program systemd-notify does; the unit needs NotifyAccess=all for it.
 *
 * @param onFailed hears why it could not be told
 */
export function notifyReady(env: NodeJS.ProcessEnv, onFailed: (message: string) => void): void {
  if (env.NOTIFY_SOCKET === undefined) return;
  execFile("systemd-notify", ["--ready", `--pid=${process.pid}`], { timeout: 5_000 }, (error) => {
    if (error !== null) onFailed(`systemd could not be told of readiness: ${error.message}`);
  });
}

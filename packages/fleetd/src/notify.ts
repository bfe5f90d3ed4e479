import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Tells systemd that the daemon is ready, where NOTIFY_SOCKET asks for it. Node can't send datagrams to UNIX sockets,
 * so the program systemd-notify does, for which the unit needs NotifyAccess=all.
 *
 * @param onFailed called with the reason where systemd could not be told
 */
export function notifyReady(env: NodeJS.ProcessEnv, onFailed: (message: string) => void): void {
  if (env.NOTIFY_SOCKET === undefined) return;
  execFile("systemd-notify", ["--ready", `--pid=${process.pid}`], { timeout: 5_000 }, (error) => {
    if (error !== null) onFailed(`systemd could not be told of readiness: ${error.message}`);
  });
}

/** Shows a sentence in `systemctl status`, where systemd asks for notifications; an empty one takes it away. */
export function notifyStatus(env: NodeJS.ProcessEnv, text: string): void {
  if (env.NOTIFY_SOCKET === undefined) return;
  execFile("systemd-notify", [`--status=${text}`, `--pid=${process.pid}`], { timeout: 5_000 }, () => undefined);
}

/** Messages to the watchdog within WatchdogSec=. */
const BEATS = 2;

/**
 * Tells systemd's watchdog that the daemon lives, where its unit has WatchdogSec=. systemd restarts a daemon whose
 * event loop hangs. Ends when the signal aborts.
 */
export async function feedWatchdog(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  const allowedMs = Number(env.WATCHDOG_USEC) / 1000;
  const isForUs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid;
  if (env.NOTIFY_SOCKET === undefined || !isForUs || !(allowedMs > 0)) return;
  while (!signal.aborted) {
    execFile("systemd-notify", ["WATCHDOG=1", `--pid=${process.pid}`], { timeout: 5_000 }, () => undefined);
    await sleep(allowedMs / BEATS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Systemd } from "./systemd/systemd.ts";

/** A heart-beat that took longer than this share of the time to live to be confirmed proves too little. */
const FRESH = 0.05;
/** Units are told to stop when this share of the time to live has gone by since the last confirmed heart-beat was sent. */
const STOP_AT = 0.65;
/** What still runs by then is killed, so that all is at rest before the lease ends. */
const KILL_AT = 0.85;
/** How often a machine with such units beats: several beats may be lost before its units are stopped. */
const BEAT_AT = 0.2;

/**
 * The watchdog, a process of systemd's, independent of the agent: it reads deadlines from a FIFO, as times since boot in
 * hundredths of a second, for stopping and for killing. One that goes by without another has it stop every unit of the
 * folder, by the names of its files, and forget that they were started. Only the shell's own commands until then.
 */
const WATCHDOG = `
folder=$1 launched=$2; shift 2
now() { read -r up _ </proc/uptime; now=\${up/./}; }
units() { units=(); for file in "$folder"/*; do [ -e "$file" ] && units+=("\${file##*/}"); done; }
pause() { printf -v pause '%d.%02d' $(($1 / 100)) $(($1 % 100)); }
listen() { # until a time: 0 where a new deadline has come
  now; (($1 > now)) || return 1
  pause $(($1 - now))
  # A read that runs out of time empties its variables.
  read -r -t "$pause" new_stop new_kill <&3 && stop_at=$new_stop kill_at=$new_kill
}
exec 3<>"$folder.beat"
read -r stop_at kill_at <&3
while :; do
  # Whatever waits in the FIFO is read before anything is stopped: the last word counts.
  while read -r -t 0 <&3; do read -r stop_at kill_at <&3; done
  listen "$stop_at" && continue
  read -r -t 0 <&3 && continue
  units
  if ((\${#units[@]})); then
    echo "this machine could not renew its lease: stopping \${units[*]}"
    for unit in "\${units[@]}"; do rm -f "$launched/$unit"; done
    "$@" stop --no-block -- "\${units[@]}"
    listen "$kill_at" && continue
    units
    for unit in "\${units[@]}"; do "$@" kill --signal=KILL -- "$unit" 2>/dev/null; done
    "$@" stop --no-block -- "\${units[@]}"
    # What another unit pulls in again, or somebody starts, is stopped again until the next deadline comes.
    until read -r -t 1 new_stop new_kill <&3; do
      units
      for unit in "\${units[@]}"; do
        case $("$@" is-active -- "$unit" 2>/dev/null) in inactive | failed) continue ;; esac
        # The agent may have started it: it has written a deadline before.
        read -r -t 0 <&3 && break
        "$@" stop --no-block -- "$unit"
      done
    done
    stop_at=$new_stop kill_at=$new_kill
    continue
  fi
  read -r stop_at kill_at <&3
done`;

/** What a watchdog needs. */
export interface PartitionWatchdogOptions {
  /** Holds a file for each unit that is to be stopped; it survives the agent. */
  readonly folder: string;
  /** Holds a file for each unit that systemd was told to start. */
  readonly launched: string;
  readonly ttlMs: number;
  /** Whether the units are the user's systemd's. */
  readonly isUser: boolean;
}

/**
 * Stops units of a machine that can't renew its lease, before the lease ends, whether or not the agent still lives
 * (`OnPartition=stop`). Armed anew with each confirmed heart-beat.
 */
export class PartitionWatchdog {
  readonly #options: PartitionWatchdogOptions;
  #fifo: number | null = null;
  /** When units are stopped unless it is armed anew, by performance.now(). */
  #stopsAt = Number.NEGATIVE_INFINITY;

  constructor(options: PartitionWatchdogOptions) {
    this.#options = options;
  }

  /** Milliseconds between heart-beats while there is something to stop. */
  get beatMs(): number {
    return this.#options.ttlMs * BEAT_AT;
  }
  /** Whether units may be started: something will stop them where the machine is cut off. */
  get isArmed(): boolean {
    return performance.now() < this.#stopsAt;
  }

  /**
   * Puts the stop off, after a heart-beat was confirmed.
   *
   * @param askedAt when the heart-beat was sent, by performance.now()
   * @returns false where the confirmation came too late to prove anything
   */
  async arm(systemd: Systemd, askedAt: number): Promise<boolean> {
    const { ttlMs, folder, launched, isUser } = this.#options;
    if (performance.now() - askedAt > ttlMs * FRESH) return false;
    if (this.#fifo === null) {
      this.#fifo = openFifo(`${folder}.beat`, folder);
      const systemctl = isUser ? ["systemctl", "--user"] : ["systemctl"];
      await systemd.ensureService(
        "fleet-fence.service",
        "stops fleet's units that must not outlive this machine's lease",
        ["/bin/bash", "-c", WATCHDOG, "fleet-fence", folder, launched, ...systemctl],
      );
    }
    const sinceBootMs = uptimeMs() - (performance.now() - askedAt);
    const at = (share: number): number => Math.floor((sinceBootMs + ttlMs * share) / 10);
    writeSync(this.#fifo, `${at(STOP_AT)} ${at(KILL_AT)}\n`);
    this.#stopsAt = askedAt + ttlMs * STOP_AT;
    return true;
  }

  close(): void {
    if (this.#fifo !== null) closeSync(this.#fifo);
    this.#fifo = null;
  }
}

/** Opens a FIFO, made where it is not there; what nobody reads never blocks the writer. */
function openFifo(path: string, folder: string): number {
  mkdirSync(folder, { recursive: true });
  mkdirSync(dirname(path), { recursive: true });
  if (!statSync(path, { throwIfNoEntry: false })?.isFIFO())
    execFileSync("mkfifo", ["-m", "600", path], { timeout: 5_000 });
  return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
}

/** Time since boot, suspension included, in milliseconds. */
function uptimeMs(): number {
  return Math.round(Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1000);
}

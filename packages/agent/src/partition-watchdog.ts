import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { hashText } from "@fleet/domain/unit";
import { type Systemd, SystemdError } from "./systemd/systemd.ts";

/** The watchdog, and its spare, which does the same: what is done to the one of them does not hold up the other. */
const SERVICES = ["fleet-fence.service", "fleet-fence-spare.service"] as const;

/** A heart-beat that took longer than this share of the time to live to be confirmed proves too little. */
const FRESH = 0.05;
/** Units are told to stop when this share of the time to live has gone by since the last confirmed heart-beat was sent. */
const STOP_AT = 0.65;
/** What still runs by then is killed, so that all is at rest before the lease ends. */
const KILL_AT = 0.85;
/** How often a machine with such units beats: several beats may be lost before its units are stopped. */
const BEAT_AT = 0.2;

/**
 * The watchdog, a process of systemd's, independent of the agent. A file holds its deadlines, as times since boot in
 * hundredths of a second, for stopping and for killing; a FIFO says that they have changed. Where one goes by, it stops
 * every unit of the folder, by the names of its files, and forgets that they were started. It remembers nothing: one that
 * takes the place of another that was killed goes on with the file. Only the shell's own commands until then.
 */
const WATCHDOG = `
folder=$1 launched=$2; shift 2
now() { read -r up _ </proc/uptime; now=\${up/./}; }
units() { units=(); for file in "$folder"/*; do [ -e "$file" ] && units+=("\${file##*/}"); done; }
deadlines() { { read -r stop_at kill_at <"$folder.deadline"; } 2>/dev/null || stop_at=0 kill_at=0; }
renewed() { deadlines; now; ((stop_at > now)); }
pause() { # hundredths of a second, or until something is said
  printf -v pause '%d.%02d' $(($1 / 100)) $(($1 % 100))
  read -r -t "$pause" _ <&3
}
exec 3<>"$folder.beat"
while :; do
  if renewed; then pause $((stop_at - now)); continue; fi
  units
  if ((\${#units[@]} == 0)); then pause 100; continue; fi
  # One that comes in the place of another after the second deadline loses no time.
  ((kill_at <= now)) && "$@" kill --signal=KILL -- "\${units[@]}" 2>/dev/null &
  "$@" stop --no-block -- "\${units[@]}" &
  echo "this machine could not renew its lease: stopping \${units[*]}"
  for unit in "\${units[@]}"; do rm -f "$launched/$unit"; done
  wait
  until renewed || ((kill_at <= now)); do pause $((kill_at - now)); done
  renewed && continue
  units
  for unit in "\${units[@]}"; do "$@" kill --signal=KILL -- "$unit" 2>/dev/null; done
  "$@" stop --no-block -- "\${units[@]}"
  # What another unit pulls in again, or somebody starts, is stopped again until there is another deadline.
  until pause 100; renewed; do
    units
    for unit in "\${units[@]}"; do
      case $("$@" is-active -- "$unit" 2>/dev/null) in inactive | failed) continue ;; esac
      # The agent may have started it: there is another deadline by then.
      renewed && break
      "$@" stop --no-block -- "$unit"
    done
  done
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
  /** Hears why one of the two watchdogs can't be had, while the other stands, once for each reason. */
  readonly onLack: (reason: string) => void;
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
  #trouble: string | null = null;
  /** Why one of the two can't be had, as it was told last; null: both stand, or neither does. */
  #lack: string | null = null;
  #killing: NodeJS.Timeout | undefined;
  /** Settled when the last look at the watchdog is over: one at a time. */
  #looking: Promise<unknown> = Promise.resolve();

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
  /** Why there is no watchdog, so that its units are stopped; null: there is one, or nobody has looked yet. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Whether a unit of systemd's is the watchdog, or keeps it. */
  isOwn(name: string): boolean {
    return SERVICES.some((service) => name === service || name === service.replace(".service", ".timer"));
  }

  /**
   * Puts the stop off, after a heart-beat was confirmed.
   *
   * @param askedAt when the heart-beat was sent, by performance.now()
   * @returns false where the confirmation came too late to prove anything
   * @throws SystemdError where the watchdog does not stand and can't be had
   */
  async arm(systemd: Systemd, askedAt: number): Promise<boolean> {
    const { ttlMs, folder } = this.#options;
    if (performance.now() - askedAt > ttlMs * FRESH) return false;
    this.#fifo ??= openFifo(`${folder}.beat`, folder);
    // The deadline is there before the watchdog is: one that is made now goes by it.
    this.#announce(askedAt);
    await this.look(systemd);
    this.#stopsAt = askedAt + ttlMs * STOP_AT;
    return true;
  }

  /**
   * Looks whether the watchdog and its spare stand, and are fleet's own; makes them where they are not there. Where neither
   * can be had, their units are stopped: nothing else would do it in time.
   *
   * @throws SystemdError where neither can be had, or systemd can't be asked
   */
  async look(systemd: Systemd): Promise<void> {
    const { folder, launched, isUser } = this.#options;
    const systemctl = isUser ? ["systemctl", "--user"] : ["systemctl"];
    const description = "stops fleet's units that must not outlive this machine's lease";
    const command = ["/bin/bash", this.#script(), folder, launched, ...systemctl];
    const looked = this.#looking.then(async () => {
      const failures: unknown[] = [];
      for (const name of SERVICES)
        await systemd.ensureService({ name, description, command }).catch((error: unknown) => failures.push(error));
      const fault = failures.find((error) => !(error instanceof SystemdError));
      if (fault !== undefined) throw fault;
      this.#say(failures.length === 1 ? String((failures[0] as SystemdError).message) : null);
      if (failures.length < SERVICES.length) return;
      // Where systemd could not be asked of one of them, that one may stand.
      throw failures.find((error) => error instanceof SystemdError && error.unavailable) ?? failures[0];
    });
    this.#looking = looked.catch(() => undefined);
    try {
      await looked;
      this.#trouble = null;
      clearTimeout(this.#killing);
      this.#killing = undefined;
    } catch (error) {
      if (error instanceof SystemdError && !error.unavailable) this.#standIn(systemd, error);
      throw error;
    }
  }

  #say(lack: string | null): void {
    if (lack !== null && lack !== this.#lack) this.#options.onLack(lack);
    this.#lack = lack;
  }

  close(): void {
    clearTimeout(this.#killing);
    if (this.#fifo !== null) closeSync(this.#fifo);
    this.#fifo = null;
  }

  /**
   * Writes the watchdog's program where it is not there; returns its path, another one for each version. systemd keeps what
   * it is given only until it reads its files anew: what it then holds of a command with other than plain words is not it.
   */
  #script(): string {
    const path = `${this.#options.folder}.watchdog-${hashText(WATCHDOG)}`;
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.new`, WATCHDOG, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    }
    return path;
  }

  /** Tells the watchdog its next deadlines. */
  #announce(askedAt: number): void {
    const { ttlMs, folder } = this.#options;
    const sinceBootMs = uptimeMs() - (performance.now() - askedAt);
    const at = (share: number): number => Math.floor((sinceBootMs + ttlMs * share) / 10);
    const line = `${at(STOP_AT)} ${at(KILL_AT)}\n`;
    writeFileSync(`${folder}.deadline.new`, line);
    renameSync(`${folder}.deadline.new`, `${folder}.deadline`);
    try {
      if (this.#fifo !== null) writeSync(this.#fifo, line);
    } catch {
      // Full, for nobody has read it: the file counts.
    }
  }

  /** Does what a watchdog does that a deadline has gone by for. */
  #standIn(systemd: Systemd, { message }: Error): void {
    const { ttlMs, launched } = this.#options;
    this.#trouble = `waits for a watchdog that would stop it in time (OnPartition=stop): ${message}`;
    this.#stopsAt = Number.NEGATIVE_INFINITY;
    for (const name of this.#units()) {
      rmSync(join(launched, name), { force: true });
      void systemd.stop(name).catch(() => undefined);
    }
    this.#killing ??= setTimeout(
      () => {
        this.#killing = undefined;
        void systemd.kill(this.#units()).catch(() => undefined);
      },
      ttlMs * (KILL_AT - STOP_AT),
    );
  }

  #units(): readonly string[] {
    const { folder } = this.#options;
    return existsSync(folder) ? readdirSync(folder) : [];
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

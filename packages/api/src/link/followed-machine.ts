import { setTimeout as sleep } from "node:timers/promises";
import type { JournalNote } from "@fleet/client/description";
import type { Position } from "@fleet/client/journal";
import { type JournalQuestion, LinkError } from "@fleet/link";
import type { JournalReader } from "./journal-reader.ts";
import { type Asker, isAway, machineJournal } from "./machine-journal.ts";

/** What a machine's journal is followed with. */
export interface FollowedMachineOptions {
  readonly machineID: string;
  /** As people know it. */
  readonly name: () => string;
  readonly hostname: () => string | undefined;
  readonly asker: Asker;
  readonly reader: JournalReader;
  readonly position: Position;
  /** What is asked for, without the units. */
  readonly filters: Omit<JournalQuestion, "units">;
  /** Hears that the machine's clock is off. */
  readonly onSkew: (skewMs: number) => Promise<void>;
  readonly isThere: () => boolean;
  /** Fulfilled when the machine may have come; the signal ends the wait. */
  readonly untilNews: (signal: AbortSignal) => Promise<void>;
  /** Whether it was said already that the machine is away. */
  readonly isSaidAway: boolean;
  /** Where its past could not be read yet: how many entries of it are wanted; null: all that there are. */
  readonly unreadLines: number | null;
}

const LATER = "it is taken up again when it is back";
const FIRST_PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 30_000;

/** One machine whose journal is followed: asked anew where it was away, from its last entry on, and where units arrive. */
export class FollowedMachine {
  readonly #options: FollowedMachineOptions;
  readonly #units: Set<string>;
  /** Units that came while others were followed: what they wrote since may lie before the last entry that was read. */
  readonly #arrived = new Set<string>();
  readonly #saidErrors = new Set<string>();
  #again = new AbortController();
  #isAway: boolean;
  #failures = 0;
  #hasAnswered = false;

  constructor(options: FollowedMachineOptions, units: Iterable<string>, arrived: Iterable<string> = []) {
    this.#options = options;
    this.#units = new Set(units);
    for (const unit of arrived) this.#arrived.add(unit);
    this.#isAway = options.isSaidAway;
  }

  /** Follows a unit that has come to this machine, too. */
  add(unit: string): void {
    if (this.#units.has(unit)) return;
    this.#units.add(unit);
    this.#arrived.add(unit);
    this.#again.abort();
  }

  /** Follows until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { isThere, untilNews } = this.#options;
    while (!signal.aborted) {
      if (!isThere()) {
        await this.#sayAway(`is away: ${LATER}`);
        // It may have come while that was written.
        if (!isThere()) await untilNews(signal);
        continue;
      }
      this.#again = new AbortController();
      const round = AbortSignal.any([signal, this.#again.signal]);
      try {
        await this.#follow(round);
        if (round.aborted) continue;
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        if (isAway(error)) await this.#sayAway(`does not answer (${error.message}): ${LATER}`);
        else await this.#sayError(error);
      }
      const pause = Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++);
      await sleep(pause, undefined, { signal: round }).catch(() => undefined);
    }
  }

  /** Reads what is left, once. */
  async drain(signal: AbortSignal): Promise<void> {
    if (this.#isAway || !this.#options.isThere()) return;
    try {
      await this.#read({ ...this.#question(), follow: false }, signal);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      if (isAway(error)) await this.#sayAway(`does not answer, so its last lines may be missing (${error.message})`);
      else await this.#sayError(error);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    await this.#read(this.#question(), signal);
  }

  #question(): JournalQuestion {
    const { filters, position, unreadLines } = this.#options;
    const { read } = position;
    // `since` is about the past, which was read before where there was any.
    const { since, ...rest } = filters;
    const isUnread = read === null && !this.#hasAnswered && this.#arrived.size === 0;
    return {
      ...rest,
      units: [...this.#units],
      follow: true,
      ...(read === null ? {} : { after: read }),
      ...(read === null && since !== undefined && this.#arrived.size === 0 ? { since } : {}),
      ...(isUnread && unreadLines !== null ? { lines: unreadLines } : {}),
      ...(this.#arrived.size === 0 ? {} : { arrived: [...this.#arrived] }),
    };
  }

  async #read(question: JournalQuestion, signal: AbortSignal): Promise<void> {
    const { asker, machineID, hostname, reader, position, filters, onSkew } = this.#options;
    const source = { machineID, hostname: hostname(), units: this.#units, allFields: filters.allFields === true };
    const before = position.read;
    const beganAt = performance.now();
    for await (const entries of machineJournal(asker, { source, question, onSkew }, signal)) {
      if (this.#isAway) await this.#sayBack();
      // It answers before its journal does.
      if (entries.length > 0 || performance.now() - beganAt > MOST_PAUSE_MS) this.#failures = 0;
      this.#hasAnswered = true;
      const fresh = entries.filter(({ entry }) => position.take(entry));
      if (signal.aborted && fresh.length === 0) return;
      await reader.write(fresh.map(({ entry }) => ({ entry })));
      // Past the place where the others were: what arrived has told its past.
      if (fresh.length > 0 && position.read !== before) this.#arrived.clear();
    }
  }

  async #sayAway(what: string): Promise<void> {
    if (this.#isAway) return;
    this.#isAway = true;
    await this.#note("machine-away", `${this.#options.name()} ${what}`);
  }

  async #sayBack(): Promise<void> {
    this.#isAway = false;
    await this.#note("machine-back", `${this.#options.name()} answers again`);
  }

  async #sayError({ message }: LinkError): Promise<void> {
    if (this.#saidErrors.has(message)) return;
    this.#saidErrors.add(message);
    await this.#note("machine-error", `${this.#options.name()} can't give its journal: ${message}`);
  }

  #note(kind: JournalNote["kind"], text: string): Promise<void> {
    return this.#options.reader.write([{ note: { kind, machineID: this.#options.machineID, text } }]);
  }
}

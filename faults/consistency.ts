/** What users see of a unit: its text's hash and its desired state as one word; null: there is no such unit. */
export type Value = string | null;

/** A call that has ended. Times are by performance.now(). */
export interface Call {
  /** Who asked: a client that stays with one API. */
  readonly session: string;
  readonly unit: string;
  /** What was written, or read. */
  readonly value: Value;
  readonly kind: "write" | "read";
  readonly startedAt: number;
  readonly endedAt: number;
  /** Of a write: whether it was acknowledged. One that failed may have been carried out, or be carried out later. */
  readonly acknowledged: boolean;
}

/** The values of one unit in the order of etcd's revisions; some may be missing before one that is `afterGap`. */
interface Version {
  readonly value: Value;
  readonly revision: number;
  afterGap: boolean;
}

/** What one session has seen of a unit at a time: the place of that version. */
interface Seen {
  readonly endedAt: number;
  readonly version: number;
}

/**
 * Holds what an API answers to what etcd has held, as checkers of linearizability do, for registers of which the true
 * order of versions is known:
 *
 * - What was acknowledged is a version, after all that was acknowledged before it.
 * - A session that has seen a version, or was acknowledged one, sees no earlier one afterwards.
 * - No read has a value that was in etcd at no time, or that nobody had asked for yet.
 *
 * Writes come from one user, one after the other; reads from any number of sessions.
 */
export class Consistency {
  readonly #versions = new Map<string, Version[]>();
  /** Of each unit when each value was first asked for. */
  readonly #askedAt = new Map<string, Map<Value, number>>();
  /** The latest acknowledged write of each unit. */
  readonly #acknowledged = new Map<string, number>();
  readonly #seen = new Map<string, Seen[]>();
  #calls: Call[] = [];
  /** Whether etcd has another history since the last check: calls since then may be of either. */
  #isBetween = false;
  /** How many calls were checked. */
  checked = 0;

  /** A unit is so from a revision on. */
  version(unit: string, revision: number, value: Value): void {
    const versions = this.#versionsOf(unit);
    if (versions.at(-1)?.value !== value) versions.push({ value, revision, afterGap: false });
  }

  /** All units as they are at a revision, after some were missed. */
  readAnew(revision: number, values: ReadonlyMap<string, Value>): void {
    for (const unit of new Set([...this.#versions.keys(), ...values.keys()]))
      this.#versionsOf(unit).push({ value: values.get(unit) ?? null, revision, afterGap: true });
  }

  /**
   * etcd was restored from a backup: its versions are those of another history. What was acknowledged before may be lost
   * by that, and for a moment an API may still show what it held. Calls count again after the next check.
   */
  beginAnew(): void {
    this.#isBetween = true;
    for (const known of [this.#versions, this.#acknowledged, this.#seen]) known.clear();
  }

  /** A write is about to be asked for. */
  asks(unit: string, value: Value, now: number): void {
    const asked = this.#askedAt.get(unit) ?? new Map<Value, number>();
    if (!asked.has(value)) asked.set(value, now);
    this.#askedAt.set(unit, asked);
  }

  ended(call: Call): void {
    this.#calls.push(call);
  }

  /**
   * Checks the calls that have ended since the last time. Every version up to now must have been told. Is called at rest:
   * no later call is told what was in a gap before it.
   *
   * @returns what is wrong, in the order of the calls
   */
  check(): readonly string[] {
    const calls = this.#isBetween ? [] : this.#calls.sort((a, b) => a.startedAt - b.startedAt);
    this.#calls = [];
    this.#isBetween = false;
    this.checked += calls.length;
    const wrong = calls.flatMap((call) => (call.kind === "write" ? this.#checkWrite(call) : this.#checkRead(call)));
    for (const versions of this.#versions.values()) for (const version of versions) version.afterGap = false;
    return wrong;
  }

  #checkWrite(call: Call): readonly string[] {
    if (!call.acknowledged) return [];
    const { unit } = call;
    const from = this.#acknowledged.get(unit) ?? 0;
    const at = this.#find(unit, call.value, from);
    if (at === null) return [`${said(call)} was acknowledged, and is no version after ${this.#named(unit, from)}`];
    this.#acknowledged.set(unit, at);
    this.#note(call, at);
    return [];
  }

  #checkRead(call: Call): readonly string[] {
    const { unit, value } = call;
    const askedAt = this.#askedAt.get(unit)?.get(value);
    if (value !== null && (askedAt === undefined || askedAt > call.endedAt))
      return [`${said(call)}: nobody had asked for it`];
    const from = this.#before(call);
    const at = this.#find(unit, value, from);
    if (at === null) return [`${said(call)}, though it had seen ${this.#named(unit, from)}`];
    this.#note(call, at);
    return [];
  }

  /** The first version from a place on that has a value, or may have had it in a gap before it; null: none. */
  #find(unit: string, value: Value, from: number): number | null {
    const versions = this.#versionsOf(unit);
    for (let at = from; at < versions.length; at++) {
      if (versions[at]?.value === value) return at;
      if (versions[at + 1]?.afterGap) return at;
    }
    return null;
  }

  /** The latest version that a call's session had seen when the call began. */
  #before({ session, unit, startedAt }: Call): number {
    const seen = this.#seen.get(`${session} ${unit}`) ?? [];
    return Math.max(0, ...seen.filter(({ endedAt }) => endedAt <= startedAt).map(({ version }) => version));
  }

  /** Calls are checked in the order of their beginnings: of what was seen before this one the latest is enough. */
  #note(call: Call, version: number): void {
    const key = `${call.session} ${call.unit}`;
    const before = { endedAt: call.startedAt, version: this.#before(call) };
    const later = (this.#seen.get(key) ?? []).filter(({ endedAt }) => endedAt > call.startedAt);
    this.#seen.set(key, [before, ...later, { endedAt: call.endedAt, version }]);
  }

  #versionsOf(unit: string): Version[] {
    const known = this.#versions.get(unit);
    if (known !== undefined) return known;
    const versions: Version[] = [{ value: null, revision: 0, afterGap: false }];
    this.#versions.set(unit, versions);
    return versions;
  }

  #named(unit: string, at: number): string {
    const version = this.#versionsOf(unit)[at];
    return `${version?.value ?? "nothing"} of revision ${version?.revision}`;
  }
}

function said({ session, unit, value, kind }: Call): string {
  return `${session}: ${kind} of ${unit} as ${value ?? "not there"}`;
}

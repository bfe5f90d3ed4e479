/** Bounds of the connections to one socket. */
export interface ConnectionBounds {
  /** Connections in all. */
  readonly most: number;
  /** Silent connections in all, and of one peer. */
  readonly mostSilent: number;
  readonly mostSilentOfPeer: number;
  /**
   * A connection that is silent for less, in milliseconds, is closed only where there is no room at all: its request may
   * be on its way.
   */
  readonly graceMs: number;
}

/** One connection. It is silent while no request of it that was let in is under way or done. */
interface Tracked {
  readonly peer: string;
  /** Null: it is not silent. */
  silentSince: number | null;
}

/**
 * Decides which connections to close so that silent ones never keep others out: those of the peer that has the most,
 * oldest first.
 */
export class ConnectionLimits<Connection> {
  readonly #bounds: ConnectionBounds;
  readonly #all = new Map<Connection, Tracked>();
  /** The silent ones of each peer, the one that is silent for the longest first. */
  readonly #silent = new Map<string, Set<Connection>>();
  #silentCount = 0;

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#all.size;
  }

  /**
   * Takes a new connection in.
   *
   * @param peer who has opened it: an address without its port
   * @param now in milliseconds, of a clock that never goes back
   * @returns the connections to close, which are no longer counted; the new one itself where there is no room
   */
  open(connection: Connection, peer: string, now: number): readonly Connection[] {
    const { most, mostSilent, mostSilentOfPeer, graceMs } = this.#bounds;
    const closed: Connection[] = [];
    const evict = (from: string, graceMs: number): boolean => {
      const oldest = this.#oldestSilent(from, now - graceMs);
      if (oldest === null) return false;
      this.close(oldest);
      closed.push(oldest);
      return true;
    };
    while ((this.#silent.get(peer)?.size ?? 0) >= mostSilentOfPeer && evict(peer, graceMs));
    while (this.#silentCount >= mostSilent && evict(this.#mostSilentPeer(), graceMs));
    if (this.count >= most) evict(this.#mostSilentPeer(), 0);
    if (this.count >= most) return [...closed, connection];
    this.#all.set(connection, { peer, silentSince: null });
    this.silence(connection, now);
    return closed;
  }

  /** Notes that a request of a connection was let in. */
  letIn(connection: Connection): void {
    const tracked = this.#all.get(connection);
    if (tracked === undefined || tracked.silentSince === null) return;
    tracked.silentSince = null;
    this.#silentCount--;
    const silent = this.#silent.get(tracked.peer);
    silent?.delete(connection);
    if (silent?.size === 0) this.#silent.delete(tracked.peer);
  }

  /** Notes that a connection counts as silent from now on. */
  silence(connection: Connection, now: number): void {
    const tracked = this.#all.get(connection);
    if (tracked === undefined || tracked.silentSince !== null) return;
    tracked.silentSince = now;
    this.#silentCount++;
    const silent = this.#silent.get(tracked.peer) ?? new Set<Connection>();
    this.#silent.set(tracked.peer, silent.add(connection));
  }

  /** Notes that a connection has ended. */
  close(connection: Connection): void {
    this.letIn(connection);
    this.#all.delete(connection);
  }

  /** The connection of a peer that is silent for the longest; null: none is since that time. */
  #oldestSilent(peer: string, latest: number): Connection | null {
    const [oldest] = this.#silent.get(peer) ?? [];
    if (oldest === undefined) return null;
    const since = this.#all.get(oldest)?.silentSince ?? null;
    return since !== null && since <= latest ? oldest : null;
  }

  #mostSilentPeer(): string {
    let [peer, size] = ["", 0];
    for (const [candidate, silent] of this.#silent) if (silent.size > size) [peer, size] = [candidate, silent.size];
    return peer;
  }
}

/** How far etcd's history was when it gave an answer. */
export interface EtcdPosition {
  readonly clusterID: string;
  readonly revision: number;
}

/** What was known when a request was sent: its answer may not be older. */
export interface AskedAt {
  readonly restores: number;
  readonly revision: number;
}

/**
 * Follows etcd's history by the headers of its answers. A history that goes back, or another cluster's, means that etcd
 * was restored from a backup or replaced: what was read before is not what etcd has now, whatever the revisions say.
 */
export class EtcdHistory {
  #position: EtcdPosition | null = null;
  #restores = 0;
  readonly #listeners = new Set<(why: string) => void>();

  /** The newest position that an answer has shown; null: there was none yet. */
  get position(): EtcdPosition | null {
    return this.#position;
  }
  /** How often another history was noticed. */
  get restores(): number {
    return this.#restores;
  }

  /** Begins where an earlier process was: a restore while nobody looked is noticed at the first answer. */
  resume(position: EtcdPosition): void {
    this.#position ??= position;
  }

  /** To be called before a request is sent that etcd answers from its newest state, and handed to `take`. */
  asking(): AskedAt {
    return { restores: this.#restores, revision: this.#position?.revision ?? 0 };
  }

  /**
   * Takes in the header of an answer.
   *
   * @param asked null: the answer may be from the past, as a watch's is; it then speaks of the cluster only
   */
  take(answer: EtcdPosition, asked: AskedAt | null): void {
    const known = this.#position;
    if (known !== null && known.clusterID !== answer.clusterID) {
      this.#restored(answer, `its cluster ID is ${answer.clusterID} and was ${known.clusterID}`);
    } else if (asked !== null && asked.restores === this.#restores && answer.revision < asked.revision) {
      this.#restored(answer, `its revision is ${answer.revision} and was ${asked.revision}`);
    } else if (asked !== null && answer.revision >= (known?.revision ?? 0)) {
      this.#position = answer;
    }
  }

  /** Hears of each restore, with what has shown it. Returns a function that takes the listener away. */
  onRestored(listener: (why: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #restored(answer: EtcdPosition, why: string): void {
    this.#position = answer;
    this.#restores++;
    for (const listener of [...this.#listeners]) listener(why);
  }
}

/** Machines on which units were at rest for a while, by unit: they may be up again by now. */
export type Rests = ReadonlyMap<string, ReadonlySet<string>>;

/** What one reader is sent of what machines answer. */
export interface LinkSession {
  /** Sends all of it. */
  run(): Promise<void>;
  /** Whether a change of a unit is news here. */
  isAbout(unit: string): boolean;
  /** Machines came or went, or these units that it is about have changed. */
  wake(units: Iterable<string>, rests: Rests): void;
}

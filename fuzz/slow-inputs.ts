import { ClusterState, encodeMachine, encodeUnit, Keys } from "@fleet/domain/cluster";
import { decide, explainPlacement, ModelFeed } from "@fleet/domain/placement";
import {
  checkRequirements,
  globMatches,
  hashText,
  InvalidUnitError,
  invalidOption,
  isGlob,
  lintUnitFile,
  parseUnitFile,
  readRequirements,
  sameRequirements,
  serializeUnitFile,
  UNIT_SIZE_LIMIT,
  UnitFileError,
  type UnitOption,
} from "@fleet/domain/unit";
import { NOWHERE } from "@fleet/domain/whereabouts";
import { SeededRandom } from "../testbed/seeded-random.ts";

/** What nothing that is done with one unit may take longer than. */
const MOST_MS = 20;
/** Others use this machine too: the processor's time counts, and the mean of so many. */
const TIMES = 5;
const WARM_UPS = 50;
/** The cluster that a unit is placed in. */
const [MACHINES, UNITS] = [20, 200];

/** Something that is done with every unit. It may throw what it refuses a unit with. */
interface Target {
  readonly what: string;
  /** What comes before it, and is tried by itself. */
  readonly prepare?: (text: string) => void;
  run(text: string): void;
}

const NAME = "web@1.service";
const PIECES = [
  ...[
    "[X-Fleet]\n",
    "[Service]\n",
    "[",
    "]",
    "=",
    "\\",
    "\\\n",
    "\n",
    "\r\n",
    "#",
    ";",
    " ",
    "\t",
    '"',
    "'",
    "%n",
    "%i",
    "\u00a0",
  ],
  ...[
    "Conflicts=",
    "Replaces=",
    "MachineOf=",
    "MachineMetadata=",
    "PreferMetadata=",
    "PreferApart=",
    "MachineID=",
    "Spread=",
  ],
  ...[
    "ExecStart=",
    "Environment=",
    "Type=oneshot\n",
    "a",
    "*",
    "?",
    "[a-z]",
    "[^a]",
    "a=b",
    "a>=1",
    "a.service",
    "web@*",
    "é",
    "0",
  ],
];

/**
 * Searches for units that are slow to read, check or place: of each target the slowest input so far is changed again and
 * again. Returns those that take longer than they may.
 *
 * @param rounds inputs for each target
 */
export function findSlowInputs(rounds: number, seed: number, onProgress: (line: string) => void): readonly string[] {
  const problems: string[] = [];
  for (const target of targets()) {
    const random = new SeededRandom(seed);
    let worst = { pattern: firstPattern(random), ms: 0 };
    // Code that has not run often is not compiled yet: that says nothing of the input.
    for (let time = 0; time < WARM_UPS; time++) timeOf(target, textOf(firstPattern(random)), 0);
    for (let round = 0; round < rounds; round++) {
      const pattern = random.chance(0.3) ? firstPattern(random) : changed(worst.pattern, random);
      const ms = timeOf(target, textOf(pattern), worst.ms);
      if (ms > worst.ms) worst = { pattern, ms };
    }
    const ms = timeOf(target, textOf(worst.pattern), 0, 6 * TIMES);
    const line = `${target.what}: at most ${ms.toFixed(1)} ms, for ${JSON.stringify(worst.pattern).slice(0, 300)}`;
    onProgress(line);
    if (ms > MOST_MS) problems.push(`slow: ${line}`);
  }
  return problems;
}

/** What an input is made of: a beginning, what is repeated until it is as large as a unit may be, and an end. */
interface Pattern {
  readonly head: readonly string[];
  readonly body: readonly string[];
  readonly tail: readonly string[];
  readonly bytes: number;
}

function firstPattern(random: SeededRandom): Pattern {
  const some = (most: number): string[] => Array.from({ length: random.below(most) }, () => random.pick(PIECES));
  const head = random.chance(0.7) ? ["[Service]\nExecStart=/bin/a\n[X-Fleet]\n", ...some(4)] : some(4);
  // Most units that are refused for their size are never read: what just passes is as interesting as what is largest.
  const bytes = random.pick([UNIT_SIZE_LIMIT, UNIT_SIZE_LIMIT, 8_000, 4_000]);
  return { head, body: [random.pick(PIECES), ...some(4)], tail: some(3), bytes };
}

function changed(pattern: Pattern, random: SeededRandom): Pattern {
  const part = random.pick(["head", "body", "tail"] as const);
  const pieces = [...pattern[part]];
  pieces.splice(random.below(pieces.length + 1), random.below(2), random.pick(PIECES));
  return { ...pattern, [part]: pieces };
}

function textOf({ head, body, tail, bytes }: Pattern): string {
  const [first, middle, last] = [head, body, tail].map((pieces) => pieces.join("")) as [string, string, string];
  const room = bytes - Buffer.byteLength(first + last);
  return first + middle.repeat(Math.max(0, Math.floor(room / Math.max(1, Buffer.byteLength(middle))))) + last;
}

/** The processor's time for an input, in milliseconds: the mean of several times. One that is not worth more is tried once. */
function timeOf(target: Target, text: string, known: number, times = TIMES): number {
  const startedAt = performance.now();
  const first = timeOnce(target, text);
  // By the clock it takes no less than by the processor, whose time is counted in steps of some milliseconds.
  if (performance.now() - startedAt < known) return Math.min(first, known);
  let sum = first;
  for (let time = 1; time < times; time++) sum += timeOnce(target, text);
  return sum / times;
}

function timeOnce({ prepare, run }: Target, text: string): number {
  let before = process.threadCpuUsage();
  try {
    prepare?.(text);
    before = process.threadCpuUsage();
    run(text);
  } catch (error) {
    if (!(error instanceof UnitFileError) && !(error instanceof InvalidUnitError)) throw error;
  }
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}

function targets(): readonly Target[] {
  const cluster = clusterOf();
  const checked = (text: string) => {
    const options = parseUnitFile(text);
    const requirements = readRequirements(NAME, options);
    checkRequirements(NAME, requirements);
    return requirements;
  };
  let options: readonly UnitOption[] = [];
  const known = checked("[X-Fleet]\nConflicts=a b\n");
  return [
    { what: "reading", run: (text) => void parseUnitFile(text) },
    { what: "reading bytes", run: (text) => void parseUnitFile(Buffer.from(text)) },
    { what: "writing and hashing", run: (text) => void hashText(serializeUnitFile(parseUnitFile(text))) },
    {
      what: "checking options",
      prepare: (text) => {
        options = parseUnitFile(text);
      },
      run: () => void invalidOption(options),
    },
    { what: "checking requirements", run: (text) => void checked(text) },
    { what: "linting", run: (text) => void lintUnitFile(NAME, text) },
    { what: "comparing versions", run: (text) => void sameRequirements(checked(text), known) },
    { what: "a glob", run: (text) => void (isGlob(text) && globMatches(text, `${"a".repeat(240)}.service`)) },
    { what: "placing", prepare: (text) => cluster.submit(text, checked), run: cluster.place },
    { what: "explaining", prepare: (text) => cluster.submit(text, checked), run: cluster.explain },
  ];
}

/** A cluster that a unit is tried in; only units that are taken come into it. */
function clusterOf() {
  const keys = new Keys("/fuzz/");
  const state = new ClusterState(keys);
  let revision = 0;
  const put = (key: string, value: string): void => {
    revision++;
    state.put({ key, value, createRevision: revision, modRevision: revision });
  };
  const submit = (name: string, text: string, on: string | null): void => {
    const hash = hashText(text);
    put(keys.unitFile(hash), text);
    const whereabouts = on === null ? NOWHERE : ({ kind: "placed", on } as const);
    put(keys.unit(name), encodeUnit({ hash, desiredState: "launched", global: false, whereabouts, cause: null }));
  };
  const ids = Array.from({ length: MACHINES }, (_, index) => `${index}`.padStart(32, "0"));
  for (const id of ids) {
    put(
      keys.machine(id),
      encodeMachine({ id, primaryIP: "", metadata: { a: "b" }, version: "", capabilities: [], instanceID: "" }),
    );
  }
  for (let index = 0; index < UNITS; index++) {
    submit(`${"a".repeat(200)}${index}.service`, "[Service]\nExecStart=/bin/a\n", ids[index % MACHINES] ?? null);
  }
  const feed = new ModelFeed(state);
  for (const _ of feed.load());
  return {
    submit: (text: string, check: (text: string) => void): void => {
      const before = state.units.get(NAME);
      if (before !== undefined) {
        state.delete(keys.unit(NAME), ++revision);
        state.delete(keys.unitFile(before.hash), ++revision);
        feed.syncUnit(NAME);
      }
      check(text);
      submit(NAME, text, null);
    },
    place: (): void => {
      feed.syncUnit(NAME);
      const unit = feed.model.units.get(NAME);
      if (unit !== undefined) decide(feed.model, unit);
    },
    explain: (): void => {
      for (const _ of explainPlacement(state, NAME));
    },
  };
}

import {
  checkRequirements,
  globMatches,
  InvalidUnitError,
  invalidOption,
  lintUnitFile,
  parseUnitFile,
  parseUnitName,
  readRequirements,
  serializeUnitFile,
  UnitFileError,
  unitNameProblem,
} from "@fleet/domain/unit";
import { SeededRandom } from "../testbed/seeded-random.ts";

const MOST_MS = 100;
const SEEDS = [
  "[Unit]\nDescription=a \\\n  b\n\n[Service]\nExecStart=/bin/a\nEnvironment=\n[X-Fleet]\nConflicts=x* [a-z]\n",
  '[X-Fleet]\nMachineMetadata="a=b" "c=d"\nMachineOf=%p@%i.service\nGlobal=true\n',
  "# comment \\\ncontinued\n;x\n[A]\r\nb = c\r\n",
  "[[]]\n=\n[\n]\n",
].map((text) => Buffer.from(text));
const PIECES = [
  "[",
  "]",
  "=",
  "\\",
  "\n",
  "\r",
  "\r\n",
  "[X-Fleet]\n",
  "Conflicts=",
  "MachineMetadata=",
  "*",
  "?",
  '"',
  " ",
  "#",
  "%n",
  "\0",
  "é",
  "MachineID=",
  "[^",
  "-]",
];

/** Sends random files and names through everything that reads them. Returns what went wrong; nothing should. */
export function fuzzUnitFiles(count: number, seed: number, onProgress: (done: number) => void): readonly string[] {
  const random = new SeededRandom(seed);
  const problems: string[] = [];
  for (let index = 0; index < count && problems.length < 20; index++) {
    if (index % 100_000 === 0) onProgress(index);
    const input = makeFile(random);
    const name = makeName(random);
    const why = attempt(input, name);
    // A pause of the machine is no hang of the parser: what was slow once must be so again.
    if (why?.startsWith("slow") === true && attempt(input, name)?.startsWith("slow") !== true) continue;
    if (why !== null)
      problems.push(`${why}: ${JSON.stringify(input.toString("latin1").slice(0, 500))} ${JSON.stringify(name)}`);
  }
  return problems;
}

function attempt(input: Buffer, name: string): string | null {
  const startedAt = performance.now();
  try {
    parseUnitName(name);
    unitNameProblem(name);
    lintUnitFile(name, input);
    const options = parseUnitFile(input);
    const text = serializeUnitFile(options);
    const problem = invalidOption(options);
    if (problem !== null) return `read, but would be refused from an API client (${problem})`;
    if (serializeUnitFile(parseUnitFile(text)) !== text) return "not read back as written";
    const requirements = readRequirements(name, options);
    for (const glob of [...requirements.conflicts, ...requirements.replaces]) globMatches(glob, name);
    checkRequirements(name, requirements);
  } catch (error) {
    if (!(error instanceof UnitFileError) && !(error instanceof InvalidUnitError))
      return `crash: ${(error as Error).stack}`;
  }
  const took = performance.now() - startedAt;
  return took > MOST_MS ? `slow: ${took.toFixed(0)} ms` : null;
}

function makeFile(random: SeededRandom): Buffer {
  if (random.chance(0.0005)) return Buffer.from(random.pick(PIECES).repeat(50_000 + random.below(50_000)));
  if (random.chance(0.5)) return random.mutate(random.pick(SEEDS));
  if (random.chance(0.1)) return random.bytes(random.below(200));
  return Buffer.from(Array.from({ length: random.below(60) }, () => random.pick(PIECES)).join(""));
}

function makeName(random: SeededRandom): string {
  if (random.chance(0.001)) return "a".repeat(random.below(5000));
  return Array.from({ length: random.below(8) }, () =>
    random.pick(["a", "@", ".", "service", "timer", "\\", "*", "é", " ", "/", "-"]),
  ).join("");
}

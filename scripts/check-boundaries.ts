// Fails where a file imports what it may not: docs/architecture.md has the table. Also keeps what decides pure, and refuses
// files that import each other in a circle.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** The tree to check: this one, or another, for the test that shows this check red. */
const ROOT = resolve(process.argv[2] ?? join(import.meta.dirname, ".."));

/** Which packages of ours a package may import. Agent, engine and API meet in etcd only. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  config: [],
  client: [],
  loop: [],
  domain: ["config"],
  registry: ["domain", "loop", "config"],
  link: ["domain", "registry", "loop"],
  agent: ["domain", "registry", "loop", "config", "link"],
  engine: ["domain", "registry", "loop", "config"],
  api: ["domain", "registry", "config", "client", "link"],
  cli: ["domain", "registry", "config", "client"],
  fleetd: ["agent", "engine", "api", "domain", "registry", "loop", "config", "link"],
};

/** Which other folders a folder outside packages/ may import; all may import packages, by name only. */
const TOOLS: Readonly<Record<string, readonly string[]>> = {
  testbed: ["deploy"],
  e2e: ["deploy", "testbed", "faults"],
  bench: ["deploy", "testbed"],
  faults: ["deploy", "testbed"],
  fuzz: ["deploy", "testbed"],
  mutation: ["vitest.shared.ts"],
  scripts: [],
  deploy: [],
  examples: [],
};

/** What decisions must not look at: the same input always gives the same answer. */
const IMPURE = [
  /\bDate\.now\(/,
  /\bnew Date\(\)/,
  /\bperformance\.now\(/,
  /\bMath\.random\(/,
  /\bset(Timeout|Interval|Immediate)\(/,
  /\brandom(UUID|Bytes|Int)\(/,
  /\bprocess\./,
  /\bconsole\./,
];
/** What a file in a `model/` folder may import: the domain and other decisions. The domain itself: nothing but itself. */
const PURE_IMPORTS = /^(node:crypto|\.\/|\.\.\/model\/|@fleet\/(domain\/\w+|config|client\/description)$)/;
const DOMAIN_IMPORTS = /^(node:crypto$|\.\.?\/|@fleet\/config$)/;

/** An import of a package of ours by name: the package, and what of it. */
const OURS = /^@fleet\/([^/]+)(\/.*)?$/;
const IMPORTS =
  /^(?:import|export)\b[^"\n]*\bfrom "([^"]+)"|^\} from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm;

const problems: string[] = [];
/** What each file imports of the files beside it, for the search for circles. */
const edges = new Map<string, readonly string[]>();

for (const [name, allowed] of Object.entries(MAY_IMPORT)) {
  const folder = join(ROOT, "packages", name);
  const manifest = manifestOf(name);
  for (const file of globSync(join(folder, "src/**/*.ts"))) {
    const isTest = file.endsWith(".test.ts") || file.includes("/testing/");
    const text = readFileSync(file, "utf8");
    const where = relative(ROOT, file);
    if (!isTest) edges.set(file, neighboursOf(file, text));
    const isPure = !isTest && (name === "domain" || /\/src\/model\//.test(file));
    for (const specifier of importsOf(text)) {
      if (!isTest) checkImport({ file, where, specifier, name, folder, allowed, manifest });
      if (isPure && !(name === "domain" ? DOMAIN_IMPORTS : PURE_IMPORTS).test(specifier))
        problems.push(`${where} is pure and may not import ${specifier}`);
    }
    if (isPure)
      for (const pattern of IMPURE)
        if (pattern.test(text)) problems.push(`${where} is pure and may not use ${pattern.source}`);
    if (/^export \*/m.test(text)) problems.push(`${where} exports *: name what is public`);
  }
}
for (const [name, allowed] of Object.entries(TOOLS)) {
  for (const file of globSync(join(ROOT, name, "**/*.ts"))) {
    const text = readFileSync(file, "utf8");
    edges.set(file, neighboursOf(file, text));
    for (const specifier of importsOf(text)) {
      checkToolImport(file, specifier, name, allowed);
    }
  }
}
checkTable();
for (const circle of circles(edges))
  problems.push(`import circle: ${circle.map((file) => relative(ROOT, file)).join(" -> ")}`);
for (const problem of problems) console.error(`Error: ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);

interface Import {
  readonly file: string;
  readonly where: string;
  readonly specifier: string;
  readonly name: string;
  readonly folder: string;
  readonly allowed: readonly string[];
  readonly manifest: { readonly dependencies?: Record<string, string> };
}

function checkImport({ file, where, specifier, name, folder, allowed, manifest }: Import): void {
  const [, ours, deep] = OURS.exec(specifier) ?? [];
  if (ours !== undefined) {
    if (!allowed.includes(ours))
      problems.push(
        `${where} imports @fleet/${ours}: packages/${name} may import ${allowed.join(", ") || "none of ours"}`,
      );
    if (deep !== undefined && !isExported(ours, deep))
      problems.push(`${where} reaches into @fleet/${ours}${deep}: import what its exports give`);
  } else if (specifier.startsWith(".")) {
    if (!resolve(dirname(file), specifier).startsWith(join(folder, "src")))
      problems.push(`${where} reaches out of its package: ${specifier}`);
  } else if (
    !specifier.startsWith("node:") &&
    !Object.keys(manifest.dependencies ?? {}).some((known) => specifier === known || specifier.startsWith(`${known}/`))
  ) {
    problems.push(`${where} imports ${specifier}, which packages/${name}/package.json does not list`);
  }
}

function checkToolImport(file: string, specifier: string, name: string, allowed: readonly string[]): void {
  const where = relative(ROOT, file);
  const [, ours, deep] = OURS.exec(specifier) ?? [];
  if (ours !== undefined && deep !== undefined && !isExported(ours, deep))
    problems.push(`${where} reaches into @fleet/${ours}${deep}: import what its exports give`);
  if (!specifier.startsWith(".")) return;
  const [top = ""] = relative(ROOT, resolve(dirname(file), specifier)).split("/");
  if (top === "packages") problems.push(`${where} imports ${specifier}: import packages by name, as @fleet/…`);
  else if (top !== name && !allowed.includes(top))
    problems.push(
      `${where} imports ${specifier}: ${name}/ may import packages by name${allowed.map((other) => ` and ${other}/`).join("")}`,
    );
}

/** The table of docs/architecture.md is for people what MAY_IMPORT is for this check: they say the same. */
function checkTable(): void {
  const path = join(ROOT, "docs/architecture.md");
  if (!existsSync(path)) return;
  const rows = [...readFileSync(path, "utf8").matchAll(/^\| ([a-z]+) \| .* \| ([a-z, ]+) \|$/gm)];
  const told = new Map(rows.map(([, name = "", imports = ""]) => [name, imports]));
  for (const [name, allowed] of Object.entries(MAY_IMPORT)) {
    const expected = allowed.join(", ") || "nothing of ours";
    if (told.get(name) !== expected)
      problems.push(
        `docs/architecture.md says of ${name} that it may import ${told.get(name) ?? "nothing: it has no row"}, and this check ${expected}`,
      );
  }
}

function importsOf(text: string): readonly string[] {
  return [...text.matchAll(IMPORTS)].map((match) => match.slice(1).find((part) => part !== undefined) ?? "");
}

/** The files that a file imports by a relative path. */
function neighboursOf(file: string, text: string): readonly string[] {
  return importsOf(text)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => resolve(dirname(file), specifier));
}

/** Each circle of imports once, as the files along it, the first one again at its end. */
function circles(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push([...path.slice(at), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return found;
}

function manifestOf(name: string): {
  readonly exports?: Record<string, unknown>;
  readonly dependencies?: Record<string, string>;
} {
  const path = join(ROOT, "packages", name, "package.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
}

function isExported(name: string, deep: string): boolean {
  return Object.hasOwn(manifestOf(name).exports ?? {}, `.${deep}`);
}

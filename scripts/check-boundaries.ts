// Fails where a package imports what it may not: docs/architecture.md has the table. Also keeps the pure folders pure.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** The tree to check: this one, or another, for the test that shows this check red. */
const ROOT = resolve(process.argv[2] ?? join(import.meta.dirname, ".."));

/** Which packages of ours a package may import. Agent, engine and API meet in etcd only. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  config: [],
  client: [],
  registry: ["config"],
  agent: ["registry", "config"],
  engine: ["registry", "config"],
  api: ["registry", "config", "client"],
  cli: ["registry", "config", "client"],
  fleetd: ["agent", "engine", "api", "registry", "config"],
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
];
const PURE_IMPORTS =
  /^(node:crypto|\.\/|\.\.\/model\/|\.\.\/store\/(cluster-state|records|state-readers)\.ts$|@fleet\/(registry(\/placement)?|config|client\/description)$)/;

const IMPORTS =
  /^(?:import|export)\b[^"\n]*\bfrom "([^"]+)"|^\} from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm;

const problems: string[] = [];
for (const [name, allowed] of Object.entries(MAY_IMPORT)) {
  const folder = join(ROOT, "packages", name);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  for (const file of globSync(join(folder, "src/**/*.ts"))) {
    const isTest = file.endsWith(".test.ts") || file.includes("/testing/");
    const text = readFileSync(file, "utf8");
    const where = relative(ROOT, file);
    const isPure = /\/src\/(model|placement)\//.test(file) && !isTest;
    for (const match of text.matchAll(IMPORTS)) {
      const specifier = match.slice(1).find((part) => part !== undefined) ?? "";
      const [, ours, deep] = /^@fleet\/([^/]+)(\/.*)?$/.exec(specifier) ?? [];
      if (ours !== undefined) {
        if (!allowed.includes(ours))
          problems.push(
            `${where} imports @fleet/${ours}: packages/${name} may import ${allowed.join(", ") || "none of ours"}`,
          );
        if (deep !== undefined && !isExported(ours, deep))
          problems.push(`${where} reaches into @fleet/${ours}${deep}: import what its exports give`);
      } else if (specifier.startsWith(".")) {
        if (!resolve(dirname(file), specifier).startsWith(join(folder, "src")) && !isTest)
          problems.push(`${where} reaches out of its package: ${specifier}`);
      } else if (
        !specifier.startsWith("node:") &&
        !isTest &&
        !Object.keys(manifest.dependencies ?? {}).some(
          (known) => specifier === known || specifier.startsWith(`${known}/`),
        )
      ) {
        problems.push(`${where} imports ${specifier}, which packages/${name}/package.json does not list`);
      }
      if (isPure && !PURE_IMPORTS.test(specifier)) problems.push(`${where} is pure and may not import ${specifier}`);
    }
    if (isPure)
      for (const pattern of IMPURE)
        if (pattern.test(text)) problems.push(`${where} is pure and may not use ${pattern.source}`);
    if (/^export \*/m.test(text)) problems.push(`${where} exports *: name what is public`);
  }
}
for (const problem of problems) console.error(`Error: ${problem}`);
process.exit(problems.length > 0 ? 1 : 0);

function isExported(name: string, deep: string): boolean {
  const manifest = JSON.parse(readFileSync(join(ROOT, "packages", name, "package.json"), "utf8")) as {
    exports: Record<string, unknown>;
  };
  return Object.hasOwn(manifest.exports, `.${deep}`);
}

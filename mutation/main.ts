// npm run mutate -- PACKAGE[/PATH]... [--tests GLOB]... [--concurrency N]: breaks the sources one place at a time, and
// counts how often a test notices. PATH is a file or a folder below the package's src. Fails below 85 %.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Stryker } from "@stryker-mutator/core";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tests: { type: "string", multiple: true, default: [] },
    concurrency: { type: "string", default: "1" },
  },
});
process.chdir(join(import.meta.dirname, ".."));

/** Where a target is: `domain/placement` is the folder packages/domain/src/placement. */
function pathOf(target: string): string {
  const [name = "", ...path] = target.split("/");
  return ["packages", name, "src", ...path].join("/");
}

/** Globs of a target's sources. Tests, and what is for tests alone, are no sources. */
function sourcesOf(target: string): string[] {
  const path = pathOf(target);
  return path.endsWith(".ts") ? [path] : [`${path}/**/*.ts`, `!${path}/**/*.test.ts`, `!${path}/**/testing/**`];
}

/** The tests of a target's whole package: what notices a mutant may be a test of another file. */
function testsOf(target: string): string {
  return `packages/${target.split("/")[0]}/src/**/*.test.ts`;
}

// Stryker takes it for success when there is nothing to mutate.
const missing = positionals.filter((target) => !existsSync(pathOf(target)));
if (positionals.length === 0 || missing.length > 0) {
  for (const target of missing) console.error(`Error: ${target}: there is no ${pathOf(target)}`);
  console.error(
    "Error: name packages, folders or files, for example: npm run mutate -- domain/placement domain/unit/file.ts",
  );
  process.exit(2);
}
// Read by vitest.config.ts. Stryker's own testFiles is not used: with it, mutants in what runs when a module is loaded are
// switched on too late and always survive (stryker-js issue 6144, open at 10.1.1).
process.env.FLEET_MUTATION_TESTS = (values.tests.length > 0 ? values.tests : positionals.map(testsOf)).join(" ");
await new Stryker({
  configFile: "mutation/stryker.config.json",
  mutate: positionals.flatMap(sourcesOf),
  concurrency: Number(values.concurrency),
}).runMutationTest();

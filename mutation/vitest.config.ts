import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { defineConfig, mergeConfig } from "vitest/config";
import shared from "../vitest.shared.ts";

/** Stryker's copy of the tree, when Stryker runs this. */
const ROOT = join(import.meta.dirname, "..");

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, { readonly "fleet-source"?: string }>>;
}

/**
 * Where the sources of our packages are, by what imports name. The links in node_modules lead out of Stryker's copy, to
 * sources without mutants: tests of one package would never notice a mutant in another.
 */
function sources(): { find: RegExp; replacement: string }[] {
  return globSync("packages/*/package.json", { cwd: ROOT }).flatMap((file) => {
    const { name, exports = {} } = JSON.parse(readFileSync(join(ROOT, file), "utf8")) as Manifest;
    return Object.entries(exports).flatMap(([path, { "fleet-source": source }]) =>
      source === undefined
        ? []
        : [{ find: new RegExp(`^${name}${path.slice(1)}$`), replacement: join(ROOT, dirname(file), source) }],
    );
  });
}

export default mergeConfig(
  shared,
  defineConfig({
    root: ROOT,
    resolve: { alias: sources() },
    test: {
      include: (process.env.FLEET_MUTATION_TESTS ?? "packages/*/src/**/*.test.ts").split(" "),
      setupFiles: [join(import.meta.dirname, "fixed-seed.ts")],
      sequence: { shuffle: false },
    },
  }),
);

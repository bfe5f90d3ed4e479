import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fleet-boundaries-"));
  for (const name of ["config", "client", "domain", "loop", "registry", "agent", "engine", "api", "cli", "fleetd"]) {
    write(
      `packages/${name}/package.json`,
      JSON.stringify({ exports: { ".": {}, "./cluster": {} }, dependencies: { "@fleet/registry": "1" } }),
    );
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}
const check = () =>
  spawnSync(process.execPath, [join(ROOT, "scripts/check-boundaries.ts"), folder], { encoding: "utf8" });

it("the check of boundaries is green where they are kept", () => {
  write(
    "packages/engine/src/model/a.ts",
    'import { unitOf } from "@fleet/domain/cluster";\nexport const a = unitOf;\n',
  );
  expect(check()).toMatchObject({ status: 0, stderr: "" });
});

it("a table of packages that says something else than the check is refused", () => {
  write("docs/architecture.md", "| package | is | may import |\n|---|---|---|\n| engine | decides | domain, agent |\n");
  const { status, stderr } = check();
  expect(status).toBe(1);
  expect(stderr).toContain("says of engine that it may import domain, agent, and this check domain, registry, loop");
  expect(stderr).toContain("says of link that it may import nothing: it has no row");
});

it.each([
  [
    "an engine that imports the agent",
    "packages/engine/src/a.ts",
    'import { a } from "@fleet/agent";\n',
    "packages/engine may import domain, registry, loop, config",
  ],
  [
    "reaching into a package",
    "packages/engine/src/a.ts",
    'import { a } from "@fleet/registry/src/store/keys.ts";\n',
    "reaches into @fleet/registry/src/store/keys.ts",
  ],
  [
    "reaching out of a package",
    "packages/engine/src/a.ts",
    'import { a } from "../../agent/src/a.ts";\n',
    "reaches out of its package",
  ],
  ["a dependency that is not listed", "packages/api/src/a.ts", 'import a from "left-pad";\n', "does not list"],
  [
    "a clock in a decision",
    "packages/engine/src/model/a.ts",
    "export const a = () => Date.now();\n",
    "is pure and may not use",
  ],
  [
    "chance in a decision",
    "packages/agent/src/model/a.ts",
    "export const a = () => Math.random();\n",
    "is pure and may not use",
  ],
  [
    "effects in a decision",
    "packages/agent/src/model/a.ts",
    'import { a } from "../systemd/bus.ts";\n',
    "is pure and may not import ../systemd/bus.ts",
  ],
  [
    "effects in the domain",
    "packages/domain/src/unit/a.ts",
    'import { readFileSync } from "node:fs";\n',
    "is pure and may not import node:fs",
  ],
  [
    "a domain that imports the registry",
    "packages/domain/src/unit/a.ts",
    'import { Registry } from "@fleet/registry";\n',
    "packages/domain may import config",
  ],
  [
    "a bench that imports tests",
    "bench/a.ts",
    'import { a } from "../e2e/a.ts";\n',
    "bench/ may import packages by name",
  ],
  [
    "a bench that reaches into a package by path",
    "bench/a.ts",
    'import { a } from "../packages/registry/src/index.ts";\n',
    "import packages by name",
  ],
  [
    "a bench that reaches into a package by name",
    "bench/a.ts",
    'import { a } from "@fleet/registry/src/store/keys.ts";\n',
    "reaches into @fleet/registry/src/store/keys.ts",
  ],
  [
    "a file that imports itself",
    "faults/a.ts",
    'import { a } from "./a.ts";\n',
    "import circle: faults/a.ts -> faults/a.ts",
  ],
  ["a face without names", "packages/config/src/index.ts", 'export * from "./a.ts";\n', "exports *"],
])("it is red for %s", (_what, path, text, message) => {
  write(path, text);
  const { status, stderr } = check();
  expect(status).toBe(1);
  expect(stderr).toContain(path);
  expect(stderr).toContain(message);
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REGISTRY_ERRORS } from "@fleet/domain/cluster";
import { expect, it } from "vitest";
import * as registry from "./index.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/registry.md"), "utf8");

it("docs/registry.md lists every error code with its meaning", () => {
  for (const [code, { retryable, meaning }] of Object.entries(REGISTRY_ERRORS)) {
    expect(page).toContain(`| \`${code}\` | ${retryable ? "yes" : "no"} | ${meaning} |`);
  }
});

it("docs/registry.md names only what is exported", () => {
  const table = page.slice(page.indexOf("| export | is |"), page.indexOf("`@fleet/registry/model`"));
  const cells = [...table.matchAll(/^\| (.*?) \|/gm)].map(([, cell = ""]) => cell);
  const names = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name));
  expect(names.length).toBeGreaterThan(15);
  // Types leave nothing to find at run time.
  for (const name of names.filter((entry) => entry !== "Etcd")) expect(registry, name).toHaveProperty(name);
});

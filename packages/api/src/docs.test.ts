import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OPERATIONS } from "@fleet/client/description";
import { expect, it } from "vitest";

const page = readFileSync(join(import.meta.dirname, "../../../docs/api.md"), "utf8");

it.each(OPERATIONS.map(({ method, path }) => `${method} /${path}`))("docs/api.md has %s", (request) => {
  expect(page).toContain(`| \`${request}`);
});

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { OWN_UNITS, unitNameProblem } from "@fleet/domain/unit";
import { expect, it } from "vitest";
import { ROOT } from "../deploy/local-cluster/cluster.ts";

it("no unit is taken under a name that one of the packaged daemons has", () => {
  const packaged = readdirSync(join(ROOT, "deploy/systemd")).filter((name) => unitNameProblem(name) === null);
  expect(packaged).toContain("fleet.service");
  expect(packaged.filter((name) => !OWN_UNITS.includes(name))).toEqual([]);
});

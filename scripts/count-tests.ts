// Adds up what the tests' own reports say, and ends with the line that CI reads. A test that was skipped counts as failed.
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numFailedTestSuites: number;
}

const root = join(import.meta.dirname, "..");
const packages = globSync("packages/*/vitest.config.ts", { cwd: root }).map((file) =>
  join(root, "reports", `${file.split(/[\\/]/)[1]}.json`),
);
let passed = Number(process.argv[2] ?? 0);
let failed = Number(process.argv[3] ?? 0);
for (const file of [...packages, join(root, "reports/e2e.json")]) {
  if (!existsSync(file)) {
    console.error(`there is no report ${file}: its tests did not run`);
    failed++;
    continue;
  }
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  passed += report.numPassedTests;
  const notRun = report.numPendingTests + report.numTodoTests;
  failed += report.numFailedTests + notRun;
  // A file that could not even be loaded has failed without a failed test.
  if (report.numFailedTests === 0 && report.numFailedTestSuites > 0) failed += report.numFailedTestSuites;
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

import { defineConfig } from "vitest/config";

/** End-to-end tests, on real hosts of this machine. Each file has a cluster of its own, so files may run side by side. */
export default defineConfig({
  resolve: { conditions: ["fleet-source"] },
  ssr: { resolve: { conditions: ["fleet-source"] } },
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    globalSetup: ["./global-setup.ts"],
    // What waits has limits of its own, which say what they waited for.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    sequence: { shuffle: { tests: true, files: false } },
    pool: "forks",
  },
});

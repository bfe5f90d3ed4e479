import { defineConfig } from "vitest/config";

/** What every package's unit tests share: they run on the sources, so that no build can be stale. */
export default defineConfig({
  resolve: { conditions: ["fleet-source"] },
  ssr: { resolve: { conditions: ["fleet-source"] } },
  test: {
    include: ["src/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    restoreMocks: true,
    sequence: { shuffle: true },
  },
});

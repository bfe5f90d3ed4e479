import fc from "fast-check";
import { vi } from "vitest";

/** How often a property is tried at most: each mutant runs every test that reaches it, and few need luck to notice it. */
const MOST_RUNS = 150;

/**
 * Property tests with one seed: whether a mutant is noticed must not depend on luck. The first failure is enough, as
 * nobody reads the counterexample of a mutant.
 */
fc.configureGlobal({ seed: 1, endOnFailure: true });

// What a test asks for itself goes before what is configured for all.
vi.mock("fast-check", async (original) => {
  const real = await original<typeof import("fast-check")>();
  const assert = <Ts>(property: fc.IRawProperty<Ts>, parameters: fc.Parameters<Ts> = {}) =>
    real.assert(property, { ...parameters, numRuns: Math.min(parameters.numRuns ?? MOST_RUNS, MOST_RUNS) });
  return { ...real, assert, default: { ...real.default, assert } };
});

import fc from "fast-check";

/**
 * Property tests with one seed: whether a mutant is noticed must not depend on luck. The first failure is enough, as
 * nobody reads the counterexample of a mutant.
 */
fc.configureGlobal({ seed: 1, endOnFailure: true });

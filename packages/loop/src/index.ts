/** How fleet's loops wait: rounds, pauses after failures, and troubles that are said once. */
export { backoff } from "./backoff.ts";
export { ReconcileLoop, type ReconcileLoopOptions } from "./reconcile-loop.ts";
export { SaidOnce } from "./said-once.ts";

/** Memory of what can be computed again. Pure. */
export { BoundedCache } from "./bounded-cache.ts";

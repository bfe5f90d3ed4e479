import { isBuilt } from "../deploy/local-cluster/cluster.ts";
import { checkMachine } from "../deploy/local-cluster/network.ts";

/** Says at once, in one sentence, what is missing: not once in each test. */
export default function setup(): void {
  checkMachine();
  if (!isBuilt()) throw new Error("dist/bin is not built: run npm run dist first");
}

// npm run test:faults -- [--seed N] [--minutes M] [--fault NAME] [--calm] [--cuts N] [--other FLEETD]
// --other: the executable of another version for two of the hosts; by default this one under another number
// Random traffic and random faults on real hosts, and what must hold all the while: docs/reliability.md.
import { parseArgs } from "node:util";
import { DEFAULT_FAULTS, FAULTS } from "./faults.ts";
import { otherVersion } from "./other-version.ts";
import { partitions } from "./partitions.ts";
import { storm } from "./storm.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    minutes: { type: "string", default: "10" },
    fault: { type: "string", multiple: true },
    cuts: { type: "string" },
    calm: { type: "boolean", default: false },
    other: { type: "string" },
  },
});
const seed = Number(values.seed);
const minutes = Number(values.minutes);
const chosen = values.fault ?? DEFAULT_FAULTS;
for (const name of chosen) {
  if (FAULTS[name] !== undefined) continue;
  console.error(`Error: there is no fault "${name}". There are: ${Object.keys(FAULTS).join(", ")}`);
  process.exit(2);
}
if (!Number.isInteger(seed) || !(minutes > 0)) {
  console.error("Error: --seed wants a whole number, --minutes a number greater than 0");
  process.exit(2);
}
const hasHeld =
  values.cuts === undefined
    ? await storm({
        seed,
        minutes,
        faults: values.calm ? [] : chosen,
        otherFleetd: values.other ?? otherVersion(),
      })
    : await partitions(seed, Number(values.cuts));
process.exitCode = hasHeld ? 0 : 1;

// npm run fuzz [-- --seed N --files N --requests N]: random unit files through every parser, random requests at an API.
// npm run fuzz -- --slow [--seed N --rounds N]: a search for units that are slow to read, check or place.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BIN } from "../deploy/local-cluster/cluster.ts";
import { until } from "../deploy/local-cluster/processes.ts";
import { EtcdServer, freePort } from "../testbed/etcd-server.ts";
import { fuzzRequests } from "./requests.ts";
import { findSlowInputs } from "./slow-inputs.ts";
import { fuzzUnitFiles } from "./unit-files.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    files: { type: "string", default: "1000000" },
    requests: { type: "string", default: "1000000" },
    slow: { type: "boolean", default: false },
    rounds: { type: "string", default: "2000" },
  },
});
const [seed, files, requests] = [values.seed, values.files, values.requests].map(Number) as [number, number, number];
console.log(`seed ${seed}`);
if (values.slow) {
  const slow = findSlowInputs(Number(values.rounds), seed, (line) => console.log(line));
  for (const problem of slow) console.error(`Error: ${problem}`);
  process.exit(slow.length > 0 ? 1 : 0);
}
const problems = [...fuzzUnitFiles(files, seed, (done) => console.log(`${done} unit files`))];

if (requests > 0) {
  const server = await EtcdServer.start();
  const port = await freePort();
  const daemon = spawn("setpriv", ["--pdeathsig=KILL", "--", join(BIN, "fleetd"), "api"], {
    env: { PATH: process.env.PATH ?? "", FLEET_ETCD_SERVERS: server.url, FLEET_API_LISTEN: `http://127.0.0.1:${port}` },
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    const url = `http://127.0.0.1:${port}/fleet/v1/machines`;
    const isUp = (): Promise<boolean> =>
      fetch(url).then(
        ({ status }) => status === 200,
        () => false,
      );
    await until(isUp, 30_000, "the API to answer");
    const tally = await fuzzRequests(requests, seed, port, (done) => console.log(`${done} requests`));
    problems.push(...tally.problems);
    console.log(JSON.stringify(Object.fromEntries([...tally.statuses].sort())));
    if (!(await isUp()) || daemon.exitCode !== null) problems.push("the API does not answer any more");
  } finally {
    daemon.kill("SIGKILL");
    await server.stop();
  }
}
for (const problem of problems) console.error(`Error: ${problem}`);
console.log(`${files} unit files, ${requests} requests, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);

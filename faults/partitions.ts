import { CUTS, copiesOf, cutOnce, STUBBORN, WATCHDOG_FAULTS } from "../testbed/partition.ts";
import { SeededRandom } from "../testbed/seeded-random.ts";
import { TestCluster } from "../testbed/test-cluster.ts";

const UNIT = "alone.service";

/**
 * OnPartition=stop: cuts, one after the other, and the hosts' journals as witnesses. Prints what they say.
 *
 * @returns whether the unit ran after every cut, and never twice at the same time
 */
export async function partitions(seed: number, cuts: number): Promise<boolean> {
  const random = new SeededRandom(seed);
  const cluster = await TestCluster.start(
    [{ engine: true, api: true }, { agent: true }, { agent: true }],
    "agent_ttl=3s",
  );
  try {
    await cluster.ok("start", cluster.file(UNIT, STUBBORN));
    const counts = new Map<string, number>();
    const made: string[] = [];
    for (let count = 1; count <= cuts; count++) {
      const [cut, fault] = [random.pick(CUTS), random.pick(WATCHDOG_FAULTS)];
      for (const name of [cut, `watchdog ${fault}`]) counts.set(name, (counts.get(name) ?? 0) + 1);
      await cutOnce(cluster, UNIT, cut, fault).catch((error: unknown) => {
        throw new Error(`cut ${count} (${cut}, watchdog ${fault})`, { cause: error });
      });
      if (count % 10 === 0) console.log(`${count} cuts`);
    }
    const { runs, overlapping } = await copiesOf(cluster, UNIT);
    console.log(
      `${cuts} cuts (${JSON.stringify(Object.fromEntries(counts))}), ${runs.length} runs of the unit, ${overlapping.length} pairs at the same time`,
    );
    const inOrder = runs.toSorted((a, b) => a.from - b.from);
    // Each cut leads to a run elsewhere.
    for (const pair of overlapping) console.log(made[inOrder.indexOf(pair[1]) - 1], JSON.stringify(pair));
    for (const host of [2, 3]) await cluster.cluster.network.exec(host, ["systemctl", "kill", "-s", "KILL", UNIT]);
    return overlapping.length === 0 && runs.length > cuts;
  } finally {
    await cluster.stop();
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { parseUnitFile, RegistryError } from "@fleet/registry";
import { byHost, look } from "../host-units.ts";
import { type Fault, lasting, type Target } from "../target.ts";
import { type Expected, NAMES } from "../traffic.ts";

/** How long users ask for nothing before etcd is stopped: what they asked for last is known to every daemon. */
const KNOWN_MS = 1_500;
const READ_MS = 30_000;

/** Of a backup that etcd is restored from; docs/reliability.md says what they do. */
export const RESTORE_FAULTS: Readonly<Record<string, Fault>> = {
  "etcd restored": async (target) => {
    const { random, backup, traffic, watch, history } = target;
    const { cluster } = target.cluster;
    const kept = random.chance(0.5) ? target.kept.at(-1) : undefined;
    const file = kept ?? (await backup.take());
    target.kept.push(file);
    await lasting(target, 3, 12);
    traffic.hold();
    try {
      await traffic.idle;
      await sleep(KNOWN_MS);
      await watch.caughtUp();
      const isBumped = random.chance(0.5);
      watch.restoring();
      await cluster.killEtcd();
      await backup.restore(isBumped ? await backup.bumped(file, watch.revision) : file);
      await lasting(target, 0, 8);
      const seen = await look(target.cluster, NAMES);
      await cluster.startEtcd();
      await watch.restored();
      traffic.restored(await heldUnits(target), await cordonedMachine(target), seen);
      const unknown = [...traffic.unknown.keys()].map((name) => `${name} on h${[...byHost(seen, name).keys()]}`);
      history.add("fault", `unknown to the restored registry: ${unknown.join(", ") || "nothing"}`);
      const age = kept === undefined ? "a backup of this round" : "a backup of an earlier one";
      return `etcd restored from ${age}${isBumped ? " with a bumped revision" : ""}`;
    } finally {
      traffic.release();
    }
  },
};

/** What the registry holds of the units of a run, as users were promised it. */
async function heldUnits({ registry }: Target): Promise<ReadonlyMap<string, Expected>> {
  return answered(async () => {
    const records = await registry.units(NAMES);
    const texts = await registry.unitFiles([...records.values()].map(({ hash }) => hash));
    return new Map(
      [...records].map(([name, { hash, desiredState }]) => [
        name,
        { options: parseUnitFile(texts.get(hash) ?? ""), state: desiredState },
      ]),
    );
  });
}

/** The machine that is out of use by what the registry holds; null: none is. */
async function cordonedMachine({ registry }: Target): Promise<string | null> {
  const prefix = registry.keys.cordon("");
  const range = { start: prefix, end: `${prefix.slice(0, -1)}0` };
  const { keyValues } = await answered(() => registry.etcd.range(range));
  return keyValues[0]?.key.slice(prefix.length) ?? null;
}

/** Asks etcd until it answers: its members have only just come. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  const endsAt = performance.now() + READ_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RegistryError) || performance.now() > endsAt) throw error;
      await sleep(300);
    }
  }
}

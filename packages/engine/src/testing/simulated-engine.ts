import type { Config } from "@fleet/config";
import { Registry } from "@fleet/registry";
import pino from "pino";
import { afterEach, beforeEach } from "vitest";
import { type FakeClock, fakeClock } from "../../../../testbed/fake-clock.ts";
import type { FakeEtcd } from "../../../../testbed/fake-etcd.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { type EngineOptions, type RunningEngine, startEngine } from "../engine.ts";
import { engineConfig, SimulatedCluster } from "./simulated-cluster.ts";

/** An engine under test, with an etcd client of its own. */
export interface EngineUnderTest {
  readonly engine: RunningEngine;
  readonly etcd: FakeEtcd;
  /** What it has logged, a message each. */
  readonly said: readonly string[];
  /** How many units its observer was told of, each time. */
  readonly counts: readonly number[];
  /** What else its observer was told. */
  readonly heard: readonly string[];
  moving(): readonly string[];
}

/** A fake etcd with a simulated cluster in it, and engines on a fake clock. */
export interface EngineTest {
  readonly clock: FakeClock;
  readonly cluster: () => SimulatedCluster;
  readonly registry: () => Registry;
  /** Starts an engine; it is stopped when the test is over. */
  start(id?: string, config?: Partial<Config>, more?: Partial<EngineOptions>): EngineUnderTest;
}

/** Collects the messages of a log. */
export function fakeLog(said: string[] = []): { readonly log: pino.Logger; readonly said: string[] } {
  const log = pino({}, { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) });
  return { log, said };
}

/** To be called once at the top of a file of tests: it brings the hooks along. */
export function engineTest(): EngineTest {
  const clock = fakeClock();
  const { etcd, registry } = fakeRegistry();
  let cluster: SimulatedCluster;
  let engines: EngineUnderTest[] = [];
  beforeEach(() => {
    cluster = new SimulatedCluster(etcd(), registry().keys);
  });
  afterEach(async () => {
    for (const { etcd: client } of engines) {
      client.fail("all", null);
      client.release();
    }
    const ended = Promise.all(engines.map(({ engine }) => engine.stop()));
    await clock.pass(10_000);
    await Promise.race([ended, clock.pass(0)]); // a test that has failed may hold one up for ever
    for (const { etcd: client } of engines) client.close();
    engines = [];
  });
  return {
    clock,
    cluster: () => cluster,
    registry,
    start: (id = "e1", config = {}, more = {}) => {
      const client = etcd().connect();
      const heard: string[] = [];
      const counts: number[] = [];
      const { log, said } = fakeLog();
      const engine = startEngine({
        ...{ config: engineConfig(config), registry: new Registry(client, registry().keys), log, id },
        observer: {
          onUnits: (count) => counts.push(count),
          onLeading: (since) => heard.push(since === null ? "leads no more" : "leads"),
          onReconciled: (_seconds, succeeded) => succeeded || heard.push("failed"),
          onTask: (kind, succeeded) => heard.push(`${kind} ${succeeded ? "done" : "lost"}`),
        },
        space: async () => [],
        ...more,
      });
      const moving = (): readonly string[] => (engine.snapshot() as { moving: readonly string[] }).moving;
      const started = { engine, etcd: client, said, heard, counts, moving };
      engines.push(started);
      return started;
    },
  };
}

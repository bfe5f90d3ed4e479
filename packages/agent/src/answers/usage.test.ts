import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { UsageQuestion, UsageSample } from "@fleet/link";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../testbed/temporary-folder.ts";
import { fakeDetails } from "./testing/fake-details.ts";
import { readUsage } from "./usage.ts";

const folder = temporaryFolder();
let unitsDirectory: string;
let closed: number;
const asked: string[] = [];

beforeEach(() => {
  unitsDirectory = join(folder(), "units");
  mkdirSync(unitsDirectory, { recursive: true });
  for (const name of ["b.service", "a.service", ".seen", "c.service"]) writeFileSync(join(unitsDirectory, name), "");
  closed = 0;
  asked.splice(0);
});

const details = fakeDetails({
  states: async () =>
    new Map([
      ["a.service", { load: "loaded", active: "active", sub: "running" }],
      ["b.service", { load: "loaded", active: "failed", sub: "failed" }],
    ]),
  figures: async (name) => {
    asked.push(name);
    return { cpuNs: 3_000_000n, memoryBytes: 4_096n, tasks: 2n, ioReadBytes: null, ioWriteBytes: 0n };
  },
  close: () => closed++,
});

/** Samples until there are so many, or until they end. */
async function samples(question: UsageQuestion, most = 10): Promise<readonly UsageSample[]> {
  const over = new AbortController();
  const found: UsageSample[] = [];
  for await (const { usage } of readUsage(question, over.signal, {
    unitsDirectory,
    connectDetails: async () => details,
  })) {
    if (usage !== undefined) found.push(usage);
    if (found.length === most) over.abort();
  }
  return found;
}

describe("what a machine uses", () => {
  it("has fleet's units on it by name, and figures of those that run", async () => {
    const [sample] = await samples({ intervalMs: 1_000, count: 1 });
    expect(sample?.units).toEqual([
      { name: "a.service", active: "active", sub: "running", cpuMs: 3, memoryBytes: 4_096, tasks: 2, ioWriteBytes: 0 },
      { name: "b.service", active: "failed", sub: "failed" },
      { name: "c.service", active: "inactive", sub: "dead" },
    ]);
    expect(asked).toEqual(["a.service"]);
    expect(sample?.cpus).toBeGreaterThan(0);
    expect(sample?.memory.totalBytes).toBeGreaterThan(0);
    expect(sample?.load).toHaveLength(3);
    expect(Math.abs((sample?.atMs ?? 0) - Date.now())).toBeLessThan(10_000);
  });

  it("is told as often as it was asked for, and systemd is let go of then", async () => {
    expect(await samples({ intervalMs: 200, count: 2 })).toHaveLength(2);
    expect(closed).toBe(1);
  });

  it("is told no oftener than five times a second, until nobody wants more", async () => {
    const startedAt = performance.now();
    expect(await samples({ intervalMs: 0, count: 0 }, 3)).toHaveLength(3);
    // Two pauses of 200 ms lie between three samples.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(390);
    expect(closed).toBe(1);
  });

  it("is told of a machine whose folder of units can't be read, without units", async () => {
    unitsDirectory = join(folder(), "nowhere");
    expect((await samples({ intervalMs: 200, count: 1 }))[0]?.units).toEqual([]);
  });
});

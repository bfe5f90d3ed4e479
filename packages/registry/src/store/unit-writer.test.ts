import { createHash } from "node:crypto";
import type { Op } from "@fleet/domain/cluster";
import { InvalidUnitError, serializeUnitFile, type UnitOption } from "@fleet/domain/unit";
import { describe, expect, it, vi } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { type KnownUnits, readUnit, type UnitResult, UnitWriter } from "./unit-writer.ts";

const clock = fakeClock();
const { etcd, registry } = fakeRegistry();

type DesiredState = "inactive" | "loaded" | "launched";

const file = (value: string): UnitOption[] => [{ section: "Service", name: "ExecStart", value }];
const set = (name: string, desiredState: DesiredState | null, options: UnitOption[] | null = null) =>
  ({ kind: "set", name, options, desiredState }) as const;
/** A writer whose memory says that there are no units. */
const remembersNone = (): UnitWriter => registry().unitWriter(() => null);
/** Waits for what is under way, with all its pauses. */
const finished = async <T>(work: Promise<T>): Promise<T> => {
  work.catch(() => undefined);
  await clock.pass(20_000);
  return work;
};
/** What became of each change: its outcome, or its error's code. */
const outcomes = async (work: readonly Promise<UnitResult>[]): Promise<readonly unknown[]> =>
  (await finished(Promise.allSettled(work))).map((result) =>
    result.status === "fulfilled" ? result.value.outcome : (result.reason.code ?? result.reason.name),
  );
const units = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `u${index}.service`);
const inEtcd = async (name: string) => (await readUnit(etcd().connect(), registry().keys, name))?.record;
/** Writes as somebody else does. */
const elsewhere = (change: Parameters<UnitWriter["submit"]>[0]): Promise<UnitResult> =>
  new UnitWriter(etcd().connect(), registry().keys).submit(change);
/** The sizes of the transactions that wrote, in operations. */
const written = (): readonly number[] =>
  etcd().txns.flatMap(({ ops, succeeded }) => (succeeded && ops.some((op) => !("get" in op)) ? [ops.length] : []));
/** What etcd held when it was asked, as a mirror that is never told of changes. */
const remembers = async (...names: readonly string[]): Promise<KnownUnits> => {
  const known = new Map(
    await Promise.all(
      names.map(async (name) => [name, await readUnit(etcd().connect(), registry().keys, name)] as const),
    ),
  );
  return (name) => known.get(name) ?? null;
};

const bytes = (ops: readonly Op[]): number => ops.reduce((sum, op) => sum + ("put" in op ? op.value.length : 0), 0);

describe("a writer without a memory", () => {
  it("reads a unit, and writes on the condition that it is still as read", async () => {
    const writer = registry().unitWriter();
    expect(await writer.submit(set("a.service", "inactive", file("/bin/a")))).toEqual({
      outcome: "created",
      revision: etcd().store.revision,
    });
    const { modRevision } = (await inEtcd("a.service")) ?? expect.unreachable();
    await writer.submit(set("a.service", "launched"));
    expect(etcd().txns.at(-1)?.compares).toEqual([{ key: registry().keys.unit("a.service"), modRevision }]);
    expect(await writer.submit({ kind: "destroy", name: "a.service" })).toMatchObject({ outcome: "destroyed" });
    expect(await inEtcd("a.service")).toBeUndefined();
  });
  it("says of a change that changes nothing which revision holds it", async () => {
    const writer = registry().unitWriter();
    const { revision } = await writer.submit(set("a.service", "loaded", file("/bin/a")));
    await writer.submit(set("b.service", "loaded", file("/bin/b")));
    expect(await writer.submit(set("a.service", "loaded"))).toEqual({ outcome: "unchanged", revision });
  });
  it("refuses what can't be", async () => {
    const writer = registry().unitWriter();
    const refused = [
      writer.submit(set("a.service", "loaded")),
      writer.submit({ kind: "destroy", name: "a.service" }),
      writer.submit(set("a@.service", "launched", file("/bin/a"))),
    ];
    expect(await outcomes(refused)).toEqual(["refused", "not-found", "InvalidUnitError"]);
    expect(written()).toEqual([]);
  });
  it("will not touch a unit whose record nobody understands", async () => {
    await etcd().txn([], [{ put: registry().keys.unit("a.service"), value: "{broken" }]);
    const error = await registry()
      .unitWriter()
      .submit(set("a.service", "loaded", file("/bin/a")))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "unexpected", message: expect.stringContaining("/test/units/a.service") });
    expect(etcd().store.value(registry().keys.unit("a.service"))).toBe("{broken");
  });
  it("tries again on a fresh read when others were faster", async () => {
    const slow = etcd().connect();
    const writer = new UnitWriter(slow, registry().keys);
    await elsewhere(set("a.service", "inactive", file("/bin/a")));
    slow.hold("txn");
    const change = writer.submit(set("a.service", "launched"));
    await clock.pass(0); // it has read, and does not know it yet
    await elsewhere(set("a.service", "loaded"));
    slow.release();
    expect((await finished(change)).outcome).toBe("changed");
    expect(await inEtcd("a.service")).toMatchObject({ desiredState: "launched" });
  });
  it("gives up when others were faster each of eight times, and has then written nothing", async () => {
    await elsewhere(set("a.service", "inactive", file("/bin/a")));
    let isLoaded = false;
    let tries = 0;
    const { txn } = etcd();
    vi.spyOn(etcd(), "txn").mockImplementation(async (compares, ops, otherwise) => {
      if (compares.length > 0) {
        tries++;
        isLoaded = !isLoaded;
        await elsewhere(set("a.service", isLoaded ? "loaded" : "inactive"));
      }
      return txn.call(etcd(), compares, ops, otherwise);
    });
    const change = registry().unitWriter().submit(set("a.service", "launched"));
    await expect(finished(change)).rejects.toMatchObject({ code: "conflict", retryable: true });
    expect([tries, (await inEtcd("a.service"))?.desiredState]).toEqual([8, "inactive"]);
  });
});

describe("a writer that remembers units", () => {
  it("has changes that arrive together travel together, with a file that they share once", async () => {
    const writer = remembersNone();
    const changes = units(20).map((name) => writer.submit(set(name, "launched", file("/bin/same"))));
    const results = await finished(Promise.all(changes));
    expect(new Set(results.map(({ revision }) => revision)).size).toBe(1);
    expect(written()).toEqual([41]);
    const ofUnits = etcd().txns[0]?.compares.filter(({ key }) => key.startsWith(registry().keys.unit("")));
    expect(ofUnits).toHaveLength(20);
  });
  it("fills transactions with as much as etcd takes, in operations and in bytes", async () => {
    const writer = remembersNone();
    const many = units(300).map((name) => writer.submit(set(name, "inactive", file(`/bin/${name}`))));
    expect(new Set(await outcomes(many))).toEqual(new Set(["created"]));
    expect(Math.max(...written())).toBeLessThanOrEqual(128);
    expect(written().length).toBeLessThanOrEqual(9);
    const large = (name: string, kB: number): UnitOption[] =>
      Array.from({ length: kB }, (_, index) => file(`/bin/${name} ${index} `.padEnd(980, "x"))).flat();
    const heavy = units(6).map((name, index) =>
      writer.submit(set(`heavy-${name}`, "inactive", large(name, index % 2 === 0 ? 450 : 1_300))),
    );
    expect(new Set(await outcomes(heavy))).toEqual(new Set(["created"]));
  });
  it("has three transactions on their way at most; more wait and then go together", async () => {
    const writer = remembersNone();
    etcd().hold("txn");
    const changes: Promise<UnitResult>[] = [];
    for (const name of units(10)) {
      changes.push(writer.submit(set(name, "inactive", file("/bin/a"))));
      await clock.pass(0);
    }
    expect(written()).toHaveLength(3);
    etcd().release();
    await finished(Promise.all(changes));
    expect(written()).toEqual([3, 3, 3, 15]);
  });
  it("never has two changes of one unit on their way at once", async () => {
    const known = new Map<string, Awaited<ReturnType<typeof readUnit>>>();
    const writer = registry().unitWriter((name) => known.get(name) ?? null);
    etcd().hold("txn");
    const first = writer.submit(set("a.service", "inactive", file("/bin/a")));
    const second = writer.submit(set("a.service", "launched", file("/bin/a")));
    const other = writer.submit(set("b.service", "inactive", file("/bin/a")));
    await clock.pass(0);
    const compared = etcd().txns.map(({ compares }) => compares.map(({ key }) => key));
    expect(compared).toEqual([
      expect.arrayContaining([registry().keys.unit("a.service"), registry().keys.unit("b.service")]),
    ]);
    known.set("a.service", await readUnit(etcd().connect(), registry().keys, "a.service"));
    etcd().release();
    expect(await outcomes([first, second, other])).toEqual(["created", "changed", "created"]);
  });
  it("tries each by itself where the memory of one was old: that one on a fresh read, the others as they are", async () => {
    await elsewhere(set("old.service", "inactive", file("/bin/a")));
    const writer = registry().unitWriter(await remembers("old.service"));
    await elsewhere(set("old.service", "loaded"));
    const changes = ["old.service", "x.service", "y.service"].map((name) =>
      writer.submit(set(name, "launched", file("/bin/a"))),
    );
    expect(await outcomes(changes)).toEqual(["changed", "created", "created"]);
    expect(written()).toHaveLength(3);
    for (const name of ["old.service", "x.service", "y.service"])
      expect(await inEtcd(name)).toMatchObject({ desiredState: "launched" });
  });
  it("asks etcd before it refuses what its memory would have it refuse", async () => {
    const writer = remembersNone();
    await elsewhere(set("a.service", "inactive", file("/bin/a")));
    const changes = [writer.submit(set("a.service", "loaded")), writer.submit(set("none.service", "loaded"))];
    expect(await outcomes(changes)).toEqual(["changed", "refused"]);
  });
  it("lets an invalid change fail alone", async () => {
    const writer = remembersNone();
    const bad = writer.submit(set("a b.service", "inactive", file("/bin/a")));
    const good = writer.submit(set("a.service", "inactive", file("/bin/a")));
    await expect(finished(bad)).rejects.toThrow(InvalidUnitError);
    expect((await good).outcome).toBe("created");
  });
  it("does not send again what etcd may have carried out, says so to all, and goes on", async () => {
    const writer = remembersNone();
    etcd().dropAnswers("txn");
    const changes = units(3).map((name) => writer.submit(set(name, "loaded", file("/bin/a"))));
    expect(await outcomes(changes)).toEqual(["timeout", "timeout", "timeout"]);
    expect(etcd().asked.get("txn")).toBe(1);
    const again = units(3).map((name) => writer.submit(set(name, "loaded", file("/bin/a"))));
    expect(await outcomes(again)).toEqual(["unchanged", "unchanged", "unchanged"]);
  });
  it("fails what is under way while etcd is away, and works again when it is back", async () => {
    const writer = remembersNone();
    etcd().fail("all", "unavailable");
    const failing = units(3).map((name) => writer.submit(set(name, "inactive", file("/bin/a"))));
    expect(await outcomes(failing)).toEqual(["unavailable", "unavailable", "unavailable"]);
    etcd().fail("all", null);
    expect(await outcomes(units(3).map((name) => writer.submit(set(name, "inactive", file("/bin/a")))))).toEqual([
      "created",
      "created",
      "created",
    ]);
  });
});

describe("the text that a user wrote", () => {
  const options = file("/bin/a");
  const text = "# why\n[Service]\nExecStart=/bin/a\n";
  const read = async (name: string): Promise<string | null> =>
    registry().unitText((await inEtcd(name)) ?? expect.unreachable());
  it("is read back as it was, and the file where there was none", async () => {
    await elsewhere({ ...set("a.service", "inactive", options), text });
    expect(await read("a.service")).toBe(text);
    await elsewhere(set("b.service", "inactive", file("/bin/b")));
    expect(await read("b.service")).toBe("[Service]\nExecStart=/bin/b\n");
  });
  it("is not told where it is gone, or is one of another unit", async () => {
    await elsewhere({ ...set("a.service", "inactive", options), text });
    const key = registry().keys.source((await inEtcd("a.service"))?.source ?? "");
    await etcd().txn([], [{ put: key, value: "# why\n[Service]\nExecStart=/bin/b\n" }]);
    expect(await read("a.service")).toBe("[Service]\nExecStart=/bin/a\n");
    await etcd().txn([], [{ delete: key }]);
    expect(await read("a.service")).toBe("[Service]\nExecStart=/bin/a\n");
    expect(await registry().unitText({ hash: "0".repeat(40) })).toBeNull();
  });
  it("goes ahead of the rest where etcd would refuse both together", async () => {
    const large = Array.from({ length: 700 }, (_, index) => file(`/bin/${index} `.padEnd(980, "x"))).flat();
    const written = `# ${"y".repeat(400_000)}\n${serializeUnitFile(large)}`;
    await elsewhere({ ...set("a.service", "inactive", large), text: written });
    expect(await read("a.service")).toBe(written);
    const largest = Math.max(...etcd().txns.map(({ ops }) => bytes(ops)));
    expect(largest).toBeLessThan(1_400_000);
  });
});

describe("the versions that a unit has had", () => {
  const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");
  const author = { by: "token ops", message: "a better one" };
  const texts = async (name: string): Promise<readonly (string | null)[]> =>
    Promise.all((await registry().versions(name)).map((version) => registry().unitText(version)));
  it("are told the newest first, with who, when and why, and their texts", async () => {
    const written = "# why\n[Service]\nExecStart=/bin/b\n";
    await elsewhere(set("a.service", "inactive", file("/bin/a")));
    await finished(
      registry()
        .unitWriter()
        .submit({ ...set("a.service", "inactive", file("/bin/b")), text: written }, author),
    );
    const versions = await registry().versions("a.service");
    expect(versions).toMatchObject([
      { kind: "version", number: 2, ...author, source: sha1(written) },
      { kind: "version", number: 1, by: null, message: null },
    ]);
    expect(new Date(versions[0]?.at ?? "").toISOString()).toBe(versions[0]?.at);
    expect(await texts("a.service")).toEqual([written, "[Service]\nExecStart=/bin/a\n"]);
  });
  it("are not there for what changes no text", async () => {
    await elsewhere(set("a.service", "inactive", file("/bin/a")));
    await elsewhere(set("a.service", "launched", file("/bin/a")));
    await elsewhere(set("a.service", "loaded"));
    expect(await registry().versions("a.service")).toHaveLength(1);
    expect(await registry().versions("a")).toEqual([]);
  });
  it("outlive the unit, and count on when it comes back", async () => {
    await elsewhere(set("a.service", "inactive", file("/bin/a")));
    await finished(registry().unitWriter().submit({ kind: "destroy", name: "a.service" }, author));
    expect(await registry().versions("a.service")).toMatchObject([
      { kind: "destroyed", number: 1, ...author },
      { kind: "version", number: 1 },
    ]);
    await etcd().txn([], [{ delete: registry().keys.unitFile(sha1("[Service]\nExecStart=/bin/a\n")) }]);
    expect(await texts("a.service")).toEqual(["[Service]\nExecStart=/bin/a\n", "[Service]\nExecStart=/bin/a\n"]);
    await elsewhere(set("a.service", "inactive", file("/bin/b")));
    expect((await registry().versions("a.service")).map(({ kind, number }) => [kind, number])).toEqual([
      ["version", 2],
      ["destroyed", 1],
      ["version", 1],
    ]);
  });
});

describe("a writer whose memory tells units without their files", () => {
  const NAMES = units(3);
  /** The texts that histories got. */
  const kept = async (): Promise<readonly (string | null)[]> =>
    Promise.all(
      NAMES.map(async (name) => {
        const [latest, before] = await registry().versions(name);
        return latest?.kind === "destroyed" && before !== undefined ? registry().unitText(before) : null;
      }),
    );
  /** Units as they are in etcd, in a memory that gets their files when it is told to. */
  async function withoutFiles() {
    for (const name of NAMES) await elsewhere(set(name, "inactive", file(name)));
    const all = await remembers(...NAMES);
    const files = new Set<string>();
    const known: KnownUnits = (name) => {
      const unit = all(name) ?? null;
      return unit === null || files.has(unit.record.hash) ? unit : { ...unit, text: null };
    };
    return { known, files };
  }
  it("reads what a unit's history gets of a destruction", async () => {
    const { known } = await withoutFiles();
    const writer = registry().unitWriter(known);
    expect(await outcomes(NAMES.map((name) => writer.submit({ kind: "destroy", name })))).toEqual(
      NAMES.map(() => "destroyed"),
    );
    expect(await finished(kept())).toEqual(NAMES.map((name) => serializeUnitFile(file(name))));
  });
  it("has the memory brought them first, and then writes changes together", async () => {
    const { known, files } = await withoutFiles();
    const writer = registry().unitWriter(known, async (hash) => files.add(hash));
    expect(await outcomes(NAMES.map((name) => writer.submit({ kind: "destroy", name })))).toEqual(
      NAMES.map(() => "destroyed"),
    );
    expect(written()).toHaveLength(1);
    expect(await finished(kept())).toEqual(NAMES.map((name) => serializeUnitFile(file(name))));
  });
  it("needs none to change what a unit is to be", async () => {
    const { known } = await withoutFiles();
    const brought: string[] = [];
    const writer = registry().unitWriter(known, async (hash) => brought.push(hash));
    await finished(writer.submit(set(NAMES[0] ?? "", "launched")));
    expect(brought).toEqual([]);
  });
});

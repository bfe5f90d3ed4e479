import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeLinkCall, encodeLinkCall, type LinkCallRecord } from "@fleet/domain/cluster";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { LinkAnswerer } from "./answerer.ts";
import { ApiChannel } from "./api-channel.ts";
import { makeCertificate } from "./certificate.ts";
import { RefusedQuestion } from "./errors.ts";
import type { Answer, FromApi, Question } from "./messages.ts";
import { LinkServer, type LinkServerOptions } from "./server.ts";
import type { Verbs } from "./verbs.ts";

const fake = fakeRegistry();
const silent = { debug() {}, warn() {} };
const JOURNAL: Question = { journal: { units: ["a.service"] } };

let signal: AbortSignal;
beforeEach(() => {
  signal = fake.stopping().signal;
});

/** Verbs of which a test gives one; the others are never asked. */
function verbsWith(journal: Verbs["journal"]): Verbs {
  const never = async function* (): AsyncGenerator<Answer> {
    yield await Promise.reject(new Error("was not to be asked"));
  };
  return { journal, status: never, usage: never };
}

async function* lines(...texts: readonly string[]): AsyncGenerator<Answer> {
  for (const text of texts) yield { journal: { json: Buffer.from(text) } };
}

async function startServer(options: Partial<LinkServerOptions> = {}): Promise<LinkServer> {
  const server = new LinkServer({
    registry: fake.registry(),
    log: silent,
    listen: { host: "127.0.0.1", port: 0 },
    advertise: { host: "127.0.0.1", port: 0 },
    ...options,
  });
  await server.start();
  signal.addEventListener("abort", () => void server.stop(), { once: true });
  return server;
}

function startAnswerer(verbs: Verbs, mostStreams = 64, machineID = "m1"): LinkAnswerer {
  const answerer = new LinkAnswerer({ registry: fake.registry(), log: silent, machineID, verbs, mostStreams });
  void answerer.run(signal);
  return answerer;
}

async function textOf(answers: AsyncIterable<Answer>): Promise<string> {
  let text = "";
  for await (const { journal } of answers) text += Buffer.from(journal?.json ?? []).toString();
  return text;
}

/** The call that an API asks for next, taken as a thief with access to etcd would. */
async function nextCall(machineID = "m1"): Promise<LinkCallRecord> {
  const { etcd, keys } = fake.registry();
  for (;;) {
    const { keyValues } = await etcd.range(keys.callsOf(machineID));
    const call = keyValues[0] === undefined ? null : decodeLinkCall(keyValues[0].value);
    if (call !== null) return call;
    await sleep(5);
  }
}

/** What becomes of a stream with this hello: the question, or why there is none. */
async function hello(call: LinkCallRecord, change: { machineId?: string; secret?: string; call?: string } = {}) {
  const { etcd, keys } = fake.registry();
  const key = keys.of("link-api", call.api);
  const { keyValues } = await etcd.range({ start: key, end: `${key}\0` });
  const channel = new ApiChannel(JSON.parse(keyValues[0]?.value ?? "{}"));
  signal.addEventListener("abort", () => channel.close(), { once: true });
  const stream = channel.open();
  const heard = new Promise<FromApi | Error>((resolve) => {
    stream.on("data", resolve);
    stream.on("error", resolve);
  });
  const secret = Buffer.from(change.secret ?? call.secret, "base64url");
  stream.write({ hello: { call: change.call ?? call.id, machineId: change.machineId ?? "m1", secret, version: 1 } });
  return { heard: await heard, stream };
}

describe("a question over the link", () => {
  it("is answered by the agent of that machine, over TLS", async () => {
    const asked: unknown[] = [];
    startAnswerer(
      verbsWith((question) => {
        asked.push(question);
        return lines("one\n", "two\n");
      }),
    );
    const server = await startServer();
    expect(await textOf(server.ask("m1", JOURNAL))).toBe("one\ntwo\n");
    expect(asked).toMatchObject([{ units: ["a.service"] }]);
    expect(server.streams).toBe(0);
  });

  it("leaves nothing of its call in etcd, and no connection", async () => {
    const answerer = startAnswerer(verbsWith(() => lines("x")));
    const server = await startServer();
    await textOf(server.ask("m1", JOURNAL));
    const { etcd, keys } = fake.registry();
    await expect.poll(async () => (await etcd.range(keys.callsOf("m1"))).keyValues).toEqual([]);
    await expect.poll(() => answerer.connections).toBe(0);
    await server.stop();
    await expect.poll(async () => (await etcd.range(keys.all())).keyValues).toEqual([]);
  });

  it("that no agent answers ends with no-answer, and its call is taken back", async () => {
    const server = await startServer({ answerMs: 50 });
    await expect(textOf(server.ask("m1", JOURNAL))).rejects.toMatchObject({ code: "no-answer" });
    const { etcd, keys } = fake.registry();
    await expect.poll(async () => (await etcd.range(keys.callsOf("m1"))).keyValues).toEqual([]);
  });

  it("that the agent does not know is told as such", async () => {
    startAnswerer(verbsWith(() => lines()));
    const server = await startServer();
    await expect(textOf(server.ask("m1", {}))).rejects.toMatchObject({ code: "unknown-verb" });
  });

  it("that the agent refuses, or fails at, brings its sentence", async () => {
    const errors = [new RefusedQuestion("ssh.service is not fleet's"), new Error("no journalctl here")];
    startAnswerer(
      verbsWith(async function* () {
        yield await Promise.reject(errors.shift());
      }),
    );
    const server = await startServer();
    await expect(textOf(server.ask("m1", JOURNAL))).rejects.toMatchObject({
      code: "refused",
      message: "ssh.service is not fleet's",
    });
    await expect(textOf(server.ask("m1", JOURNAL))).rejects.toMatchObject({
      code: "failed",
      message: "no journalctl here",
    });
  });

  it("is refused by an agent that serves as many streams as it may", async () => {
    const { promise: forever } = Promise.withResolvers<void>();
    startAnswerer(
      verbsWith(async function* () {
        yield { journal: { json: Buffer.from("x") } };
        await forever;
      }),
      1,
    );
    const server = await startServer();
    const first = server.ask("m1", JOURNAL);
    await first.next();
    await expect(textOf(server.ask("m1", JOURNAL))).rejects.toMatchObject({ code: "machine-busy" });
  });

  it("is refused by an API that holds as many streams as it may", async () => {
    const server = await startServer({ mostStreams: 0 });
    await expect(textOf(server.ask("m1", JOURNAL))).rejects.toMatchObject({ code: "api-busy" });
  });

  it("whose asker goes away has the agent stop at once", async () => {
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    startAnswerer(
      verbsWith(async function* (_question, over) {
        over.addEventListener("abort", () => resolve());
        yield { journal: { json: Buffer.from("x") } };
        await stopped;
      }),
    );
    const server = await startServer();
    const wanted = new AbortController();
    const answers = server.ask("m1", JOURNAL, { signal: wanted.signal });
    await answers.next();
    wanted.abort();
    await stopped;
    expect(await answers.next()).toEqual({ done: true, value: undefined });
  });

  it("ends as broken where the agent goes away, and as stopped where the API does", async () => {
    const { promise: forever } = Promise.withResolvers<void>();
    const verbs = verbsWith(async function* () {
      yield { journal: { json: Buffer.from("x") } };
      await forever;
    });
    const agent = new AbortController();
    const answerer = new LinkAnswerer({ registry: fake.registry(), log: silent, machineID: "m2", verbs });
    void answerer.run(agent.signal);
    startAnswerer(verbs);
    const server = await startServer();
    const broken = server.ask("m2", JOURNAL);
    await broken.next();
    agent.abort();
    await expect(broken.next()).rejects.toMatchObject({ code: "broken" });
    const stopped = server.ask("m1", JOURNAL);
    await stopped.next();
    const next = stopped.next();
    next.catch(() => undefined);
    await server.stop();
    await expect(next).rejects.toMatchObject({ code: "stopped" });
  });

  it("goes on while etcd is away", async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<void>();
    startAnswerer(
      verbsWith(async function* () {
        yield { journal: { json: Buffer.from("before ") } };
        await goOn;
        yield { journal: { json: Buffer.from("after") } };
      }),
    );
    const server = await startServer();
    const answers = server.ask("m1", JOURNAL);
    await answers.next();
    fake.etcd().fail("all", "unavailable");
    resolve();
    expect(await textOf(answers)).toBe("after");
  });

  it("is not read faster than its asker reads", async () => {
    let sent = 0;
    startAnswerer(
      verbsWith(async function* () {
        const json = Buffer.alloc(32 * 1024);
        for (; ; sent++) yield { journal: { json } };
      }),
    );
    const server = await startServer();
    const answers = server.ask("m1", JOURNAL);
    await answers.next();
    // It comes to rest: a reader that reads nothing is not sent more than gRPC holds at both ends.
    let before = -1;
    while (before !== sent) {
      before = sent;
      await sleep(100);
    }
    expect(sent).toBeLessThan(100);
    await answers.return();
  });
});

describe("a long stream", () => {
  it("leaves nothing behind at each wait for its reader", async () => {
    const chunks = 400;
    const listeners: number[] = [];
    startAnswerer(
      verbsWith(async function* (_question, over) {
        const json = Buffer.alloc(32 * 1024);
        for (let sent = 0; sent < chunks; sent++) {
          listeners.push(getEventListeners(over, "abort").length);
          yield { journal: { json } };
        }
      }),
    );
    const server = await startServer();
    let received = 0;
    for await (const { journal } of server.ask("m1", JOURNAL)) received += journal?.json.length ?? 0;
    expect(received).toBe(chunks * 32 * 1024);
    expect(listeners.at(-1)).toBe(listeners[0]);
  });
});

describe("the link is closed to", () => {
  it("a secret that is shown a second time", async () => {
    const server = await startServer();
    const answers = server.ask("m1", JOURNAL);
    const first = answers.next();
    first.catch(() => undefined);
    const call = await nextCall();
    expect((await hello(call)).heard).toMatchObject({ question: { journal: { units: ["a.service"] } } });
    expect((await hello(call)).heard).toMatchObject({ code: 16 });
  });

  it("another machine, another secret and another call", async () => {
    const server = await startServer();
    const first = server.ask("m1", JOURNAL).next();
    first.catch(() => undefined);
    const call = await nextCall();
    expect((await hello(call, { machineId: "m2" })).heard).toMatchObject({ code: 16 });
    expect((await hello(call, { secret: "A".repeat(43) })).heard).toMatchObject({ code: 16 });
    expect((await hello(call, { secret: "" })).heard).toMatchObject({ code: 16 });
    expect((await hello(call, { call: "0".repeat(32) })).heard).toMatchObject({ code: 16 });
    // None of them has used up the secret of the machine that was asked.
    expect((await hello(call)).heard).toMatchObject({ question: {} });
  });

  it("a secret of a question that is over", async () => {
    const server = await startServer();
    const wanted = new AbortController();
    const first = server.ask("m1", JOURNAL, { signal: wanted.signal }).next();
    const call = await nextCall();
    wanted.abort();
    await first;
    expect((await hello(call)).heard).toMatchObject({ code: 16 });
  });

  it("a caller that says something else than hello", async () => {
    const server = await startServer();
    const first = server.ask("m1", JOURNAL).next();
    first.catch(() => undefined);
    const { api } = await nextCall();
    const key = fake.registry().keys.of("link-api", api);
    const { keyValues } = await fake.registry().etcd.range({ start: key, end: `${key}\0` });
    const channel = new ApiChannel(JSON.parse(keyValues[0]?.value ?? "{}"));
    const stream = channel.open();
    const refused = new Promise((resolve) => stream.on("error", resolve));
    stream.write({ end: {} });
    expect(await refused).toMatchObject({ code: 16 });
    channel.close();
  });

  it("a server with another certificate than etcd holds: the agent shows it no secret", async () => {
    const { etcd, keys } = fake.registry();
    const warnings: string[] = [];
    const log = { debug() {}, warn: (message: string) => warnings.push(message) };
    const verbs = verbsWith(() => lines());
    void new LinkAnswerer({ registry: fake.registry(), log, machineID: "m1", verbs }).run(signal);
    const impostor = await startServer();
    await textOf(impostor.ask("m1", JOURNAL));
    const { keyValues } = await etcd.range(keys.all());
    const api = keyValues.find(({ key }) => key.includes("/apis/"));
    // Of the API that it stands in for etcd holds another certificate.
    const record = { ...JSON.parse(api?.value ?? "{}"), id: "real", certificate: makeCertificate().certificate };
    await etcd.txn([], [{ put: keys.of("link-api", "real"), value: JSON.stringify(record) }]);
    const call = { id: "c1", api: "real", secret: "A".repeat(43) };
    await etcd.txn([], [{ put: keys.of("link-call", "m1", "c1"), value: encodeLinkCall(call) }]);
    await expect.poll(() => warnings.join()).toMatch(/can't be reached.*(certificate|verif|signed)/i);
  });
});

describe("an agent that can't reach an API", () => {
  it("says at which address, so that one sees what link_advertise has", async () => {
    const { etcd, keys } = fake.registry();
    const warnings: string[] = [];
    const log = { debug() {}, warn: (message: string) => warnings.push(message) };
    const answerer = new LinkAnswerer({
      registry: fake.registry(),
      log,
      machineID: "m1",
      verbs: verbsWith(() => lines()),
    });
    void answerer.run(signal);
    // Nobody listens on port 1.
    const api = { id: "a1", address: "127.0.0.1:1", certificate: makeCertificate().certificate };
    const call = { id: "c1", api: "a1", secret: "A".repeat(43) };
    await etcd.txn([], [{ put: keys.of("link-api", "a1"), value: JSON.stringify(api) }]);
    await etcd.txn([], [{ put: keys.of("link-call", "m1", "c1"), value: encodeLinkCall(call) }]);
    await expect.poll(() => warnings.join()).toContain("the API at 127.0.0.1:1 can't be reached over the link: ");
  });
});

describe("limits of the link", () => {
  it("the 65th stream of an agent is told that the machine is busy, and the 64 go on", async () => {
    const { promise: forever } = Promise.withResolvers<void>();
    const verbs = verbsWith(async function* () {
      yield { journal: { json: Buffer.from("x") } };
      await forever;
    });
    const answerer = new LinkAnswerer({ registry: fake.registry(), log: silent, machineID: "m1", verbs });
    void answerer.run(signal);
    const server = await startServer();
    const running = Array.from({ length: 64 }, () => server.ask("m1", JOURNAL));
    await Promise.all(running.map((answers) => answers.next()));
    await expect(textOf(server.ask("m1", JOURNAL))).rejects.toMatchObject({
      code: "machine-busy",
      message: "the machine answers 64 questions, and no more at a time",
    });
    expect([answerer.streams, answerer.connections]).toEqual([64, 1]);
  });

  it("the 1,001st stream of an API is refused at once, and there is room again when one ends", async () => {
    const server = await startServer();
    const over = new AbortController();
    const waiting = Array.from({ length: 1_000 }, (_, machine) =>
      server.ask(`m${machine}`, JOURNAL, { signal: over.signal }).next(),
    );
    await expect(server.ask("m1", JOURNAL).next()).rejects.toMatchObject({
      code: "api-busy",
      message: "this API holds 1000 streams, and can't hold more: ask another one",
    });
    over.abort();
    await Promise.all(waiting);
    expect(server.streams).toBe(0);
  });
});

describe("while nobody asks", () => {
  it("there is no connection, no write to etcd and no timer, before a question and after it", async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    const answerer = startAnswerer(verbsWith(() => lines("one")));
    const server = await startServer();
    await expect.poll(() => fake.etcd().watching).toBe(1);
    expect([answerer.connections, server.streams, fake.etcd().txns.length]).toEqual([0, 0, 0]);
    expect(timers()).toBe(before);
    await textOf(server.ask("m1", JOURNAL));
    await expect.poll(() => answerer.connections).toBe(0);
    const { etcd, keys } = fake.registry();
    // Of a question only the API itself is left, for a minute: presence.test.ts has the end of that.
    await expect
      .poll(async () => (await etcd.range(keys.all())).keyValues.map(({ key }) => key))
      .toEqual([expect.stringContaining("/apis/")]);
    expect(fake.etcd().watching).toBe(1);
  });
});

describe("an agent that may not watch etcd", () => {
  it("looks for calls, and answers them, without a watch", async () => {
    const server = await startServer();
    const registry = fake.registry();
    const watch = vi.spyOn(registry.etcd, "watch");
    const verbs = verbsWith(() => lines("one"));
    void new LinkAnswerer({ registry, log: silent, machineID: "m1", verbs, pollMs: 10 }).run(signal);
    expect(await textOf(server.ask("m1", JOURNAL))).toBe("one");
    expect(watch).not.toHaveBeenCalled();
  });
});

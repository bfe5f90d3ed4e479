import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HttpJournalReader } from "./http-journal-reader.ts";
import { JournalSession } from "./journal-session.ts";
import { LinkSessions } from "./link-sessions.ts";
import { JournalCluster, JournalMachines, line, queryFor, untilAborted } from "./testing/journal-cluster.ts";

/** An answer whose connection takes everything at once. */
class Answer extends Writable {
  text = "";
  writeHead(): this {
    return this;
  }
  flushHeaders(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}

let cluster: JournalCluster;
let machines: JournalMachines;
let sessions: LinkSessions;
let unexpected: unknown[];

beforeEach(() => {
  cluster = new JournalCluster();
  cluster.machine("m1", "h1");
  cluster.unit("a.service", "m1");
  cluster.says("m1", "a.service");
  machines = new JournalMachines().set("m1", async function* ({ follow }, signal) {
    if (follow === true) await untilAborted(signal);
    else yield line(1, "a.service");
  });
  unexpected = [];
  sessions = new LinkSessions((error) => unexpected.push(error));
});
afterEach(() => {
  sessions.close();
  vi.restoreAllMocks();
});

/** A reader of the journal. */
function serve(mayRead: () => boolean = () => true, follow = true): { answer: Answer; served: Promise<void> } {
  const answer = new Answer();
  const reader = new HttpJournalReader(answer as unknown as ServerResponse, "application/x-ndjson", {}, mayRead);
  const query = queryFor(["*.service"], { follow });
  const { state } = cluster;
  const session = { state, asker: machines, query, names: ["a.service"], reader, signal: reader.gone };
  const served = sessions.serve(new JournalSession(session), reader);
  return { answer, served };
}

describe("streams of the journal", () => {
  it("are counted for as long as they run", async () => {
    const { answer, served } = serve(undefined, false);
    expect(sessions.count).toBe(1);
    await served;
    expect(sessions.count).toBe(0);
    expect(answer.text).toContain('{"end":{"units":[]}}');
  });

  it("are told once of changes that come together, and later of those that come meanwhile", async () => {
    const woken = vi.spyOn(JournalSession.prototype, "wake");
    serve();
    sessions.wake(cluster.unit("b.service", "m1"));
    for (let count = 0; count < 100; count++) sessions.wake(cluster.says("m1", "b.service", { hash: `h${count}` }));
    await expect.poll(() => woken.mock.calls.length).toBe(2);
    sessions.wake(cluster.unit("c.service", "m1"));
    await expect.poll(() => woken.mock.calls.length).toBe(3);
    expect(woken.mock.calls.map(([names]) => [...names])).toEqual([["b.service"], ["b.service"], ["c.service"]]);
  });

  it("say that a unit was started again that was down for less than a look, and not where it came from elsewhere", async () => {
    const { answer } = serve();
    await expect.poll(() => machines.asked.some(({ question }) => question.follow === true)).toBe(true);
    const down = { systemd: { load: "loaded", active: "inactive", sub: "dead" } };
    cluster.machine("m2", "h2");
    const moved = [...cluster.says("m1", "a.service", down), ...cluster.says("m2", "a.service")];
    sessions.wake([...moved, ...cluster.saysNothing("m1", "a.service"), ...cluster.unit("a.service", "m2")]);
    await expect.poll(() => answer.text).toContain("a.service moved from h1 to h2");
    expect(answer.text).not.toContain("started again");
    sessions.wake([...cluster.says("m2", "a.service", down), ...cluster.says("m2", "a.service")]);
    await expect.poll(() => answer.text).toContain("a.service was started again");
  });

  it("are not woken by what they are not about", async () => {
    const woken = vi.spyOn(JournalSession.prototype, "wake");
    const isAbout = vi.spyOn(JournalSession.prototype, "isAbout");
    serve();
    sessions.wake(cluster.unit("b.timer", "m1"));
    await expect.poll(() => isAbout.mock.calls.length).toBe(1);
    sessions.wake(cluster.machine("m2"));
    await expect.poll(() => woken.mock.calls.map(([names]) => [...names])).toEqual([[]]);
  });

  it("are cut where their readers may not read any more, and the others stay", async () => {
    let isAllowed = true;
    const revoked = serve(() => isAllowed);
    const other = serve();
    isAllowed = false;
    sessions.cutRevoked();
    await revoked.served;
    expect(revoked.answer.destroyed).toBe(true);
    expect(other.answer.destroyed).toBe(false);
    expect(sessions.count).toBe(1);
  });

  it("end with a clear word where the API stops, and where it fails", async () => {
    const stopped = serve();
    sessions.close();
    await stopped.served;
    expect(stopped.answer.text).toContain("this API stops: go on at another one, after the last entry");
    machines.set("m1", () => {
      throw new TypeError("a mistake of ours");
    });
    const failed = serve();
    await failed.served;
    expect(failed.answer.text).toContain('"kind":"cut-off"');
    expect(unexpected).toMatchObject([{ message: "a mistake of ours" }]);
  });
});

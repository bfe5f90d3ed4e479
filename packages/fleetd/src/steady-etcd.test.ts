import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { fakeRegistry } from "../../../testbed/fake-registry.ts";
import { type HeartbeatRequest, HeartbeatThread, type HeartbeatWorker } from "./heartbeat-thread.ts";
import { SteadyEtcd } from "./steady-etcd.ts";

const { etcd } = fakeRegistry();

/** A thread that notes what it is asked. */
class FakeWorker extends EventEmitter implements HeartbeatWorker {
  readonly requests: HeartbeatRequest[] = [];
  isTerminated = false;
  postMessage(request: HeartbeatRequest): void {
    this.requests.push(request);
  }
  async terminate(): Promise<void> {
    this.isTerminated = true;
  }
}

function start(): { worker: FakeWorker; reasons: string[]; steady: SteadyEtcd } {
  const worker = new FakeWorker();
  const reasons: string[] = [];
  const thread = new HeartbeatThread(worker, (reason) => reasons.push(reason));
  return { worker, reasons, steady: new SteadyEtcd(etcd(), thread) };
}
const asked = (): number => etcd().asked.get("keepLeaseAlive") ?? 0;

describe("an etcd whose leases a thread keeps alive", () => {
  it("tells the thread of a lease at once, before it is first kept alive", async () => {
    const { worker, steady } = start();
    const id = await steady.grantLease(5);
    expect(worker.requests).toEqual([{ kind: "keep", number: 1, id, ttlMs: 5_000 }]);
    worker.emit("exit");
    await steady.grantLease(5);
    expect(worker.requests).toHaveLength(1);
  });
  it("has the thread ask for the leases it has granted, and gives its answers and errors", async () => {
    const { worker, steady } = start();
    const id = await steady.grantLease(5);
    const [first, second] = [steady.keepLeaseAlive(id), steady.keepLeaseAlive(id)];
    expect(worker.requests).toEqual([1, 2, 3].map((number) => ({ kind: "keep", number, id, ttlMs: 5_000 })));
    worker.emit("message", { number: 3, code: "timeout", message: "no answer" });
    worker.emit("message", { number: 2, remaining: 5 });
    expect(await first).toBe(5);
    await expect(second).rejects.toMatchObject({ code: "timeout", message: "no answer" });
    expect(asked()).toBe(0);
  });
  it("has the thread leave a lease that is revoked", async () => {
    const { worker, steady } = start();
    const id = await steady.grantLease(5);
    await steady.revokeLease(id);
    expect(worker.requests).toMatchObject([
      { kind: "keep", id },
      { kind: "drop", id },
    ]);
    expect(await steady.keepLeaseAlive(id)).toBe(0);
  });
  it("asks by itself once the thread has ended, and says why once", async () => {
    const { worker, steady, reasons } = start();
    const id = await steady.grantLease(5);
    const waiting = steady.keepLeaseAlive(id);
    worker.emit("error", new Error("out of memory"));
    worker.emit("exit");
    await expect(waiting).rejects.toMatchObject({ code: "unavailable" });
    expect(reasons).toEqual(["out of memory"]);
    expect(await steady.keepLeaseAlive(id)).toBe(5);
    expect(asked()).toBe(1);
  });
  it("ends the thread when it is closed, which is no failure", async () => {
    const { worker, steady, reasons } = start();
    steady.close();
    worker.emit("exit");
    expect([worker.isTerminated, reasons]).toEqual([true, []]);
  });
});

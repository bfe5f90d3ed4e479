import { describe, expect, it } from "vitest";
import { WorkQueue } from "./work-queue.ts";

describe("units to look at", () => {
  const taken = (queue: WorkQueue): readonly (string | null)[] => [queue.take(), queue.take(), queue.take()];
  it("come by name, each once, and then there are none", () => {
    const queue = new WorkQueue();
    for (const name of ["b", "a", "b"]) queue.add(name);
    expect(queue.size).toBe(2);
    expect(taken(queue)).toEqual(["a", "b", null]);
    expect([queue.size, queue.take()]).toEqual([0, null]);
  });
  it("that are added meanwhile come behind those that were there", () => {
    const queue = new WorkQueue();
    for (const name of ["b", "c"]) queue.add(name);
    expect(queue.take()).toBe("b");
    queue.add("a");
    expect(queue.size).toBe(2);
    expect(taken(queue)).toEqual(["c", "a", null]);
  });
  it("do not come where they are gone before their turn", () => {
    const queue = new WorkQueue();
    for (const name of ["a", "b"]) queue.add(name);
    queue.delete("a");
    expect([queue.size, ...taken(queue)]).toEqual([1, "b", null, null]);
  });
});

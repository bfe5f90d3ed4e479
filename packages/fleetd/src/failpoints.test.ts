import { expect, it, vi } from "vitest";
import { Failpoints } from "./failpoints.ts";

it.each([undefined, "", "nonsense"])("without a setting nothing goes wrong: %j", (setting) => {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  const failpoints = new Failpoints(setting);
  failpoints.reach("etcd.before-txn");
  expect([failpoints.isAny, failpoints.happens("etcd.watch-late"), kill.mock.calls]).toEqual([false, false, []]);
});

it("each point and each fault has its own chance", () => {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  const random = vi.spyOn(Math, "random");
  const failpoints = new Failpoints("etcd.after-txn=0.25,etcd.watch-twice=0.5,etcd.answer-lost=0");
  expect(failpoints.isAny).toBe(true);
  random.mockReturnValue(0.3);
  failpoints.reach("etcd.after-txn");
  expect([failpoints.happens("etcd.watch-twice"), kill.mock.calls.length]).toEqual([true, 0]);
  random.mockReturnValue(0.2);
  failpoints.reach("etcd.after-txn");
  expect(kill.mock.calls).toEqual([[process.pid, "SIGKILL"]]);
  random.mockReturnValue(0);
  expect(failpoints.happens("etcd.answer-lost")).toBe(false);
});

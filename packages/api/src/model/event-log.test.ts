import type { Change } from "@fleet/domain/cluster";
import { expect, it } from "vitest";
import { EventLog } from "./event-log.ts";

it("begins anew where etcd was restored, at its lower revision, and knows nothing of revisions before", () => {
  const log = new EventLog();
  const none: readonly Change[] = [];
  const now = new Date(0);
  log.start(100);
  log.append(none, 120, now, false);
  log.append(none, 50, now, true);
  expect([log.revision, log.gaps]).toEqual([50, 1]);
  expect(log.after(50)).toEqual({ kind: "at", next: 0 });
  expect(log.after(49)).toEqual({ kind: "gap", next: 0, oldest: 50 });
});

import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { Jobs } from "./jobs.ts";
import { SystemdError } from "./systemd.ts";

const clock = fakeClock();

describe("jobs of systemd", () => {
  it("end for whoever waits, each with its own result", async () => {
    const jobs = new Jobs();
    const ends = [jobs.end("/job/1", "a.service"), jobs.end("/job/2", "b.service")];
    jobs.ended("/job/2", "canceled");
    jobs.ended("/job/1", "done");
    expect(await Promise.all(ends)).toEqual(["done", "canceled"]);
  });
  it("may have ended before somebody waits", async () => {
    const jobs = new Jobs();
    jobs.ended("/job/1", "done");
    expect(await jobs.end("/job/1", "a.service")).toBe("done");
  });
  it("that nobody waits for are forgotten, the oldest first", async () => {
    const jobs = new Jobs();
    for (let number = 0; number <= 1_000; number++) jobs.ended(`/job/${number}`, "done");
    const error = new SystemdError("lost");
    const waits = [jobs.end("/job/0", "a.service"), jobs.end("/job/1", "b.service")];
    jobs.abandon(error);
    expect(await Promise.allSettled(waits)).toMatchObject([{ reason: error }, { value: "done" }]);
  });
  it("that take too long are an error that names the unit", async () => {
    const end = expect(new Jobs().end("/job/1", "a.service")).rejects.toThrow("a.service has been stopping for 300 s");
    await clock.pass(300_000);
    await end;
  });
});

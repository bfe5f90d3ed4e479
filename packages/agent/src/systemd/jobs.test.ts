import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { Jobs } from "./jobs.ts";
import { SystemdError } from "./systemd.ts";

const clock = fakeClock();

describe("jobs of systemd", () => {
  it("end for whoever waits, each with its own result", async () => {
    const jobs = new Jobs();
    const ends = [jobs.waitForStop("/job/1", "a.service"), jobs.waitForStop("/job/2", "b.service")];
    jobs.noteEnd("/job/2", "canceled");
    jobs.noteEnd("/job/1", "done");
    expect(await Promise.all(ends)).toEqual(["done", "canceled"]);
  });
  it("may have ended before somebody waits", async () => {
    const jobs = new Jobs();
    jobs.noteEnd("/job/1", "done");
    expect(await jobs.waitForStop("/job/1", "a.service")).toBe("done");
  });
  it("that nobody waits for are forgotten, the oldest first", async () => {
    const jobs = new Jobs();
    for (let number = 0; number <= 1_000; number++) jobs.noteEnd(`/job/${number}`, "done");
    const error = new SystemdError("lost");
    const waits = [jobs.waitForStop("/job/0", "a.service"), jobs.waitForStop("/job/1", "b.service")];
    jobs.abandon(error);
    expect(await Promise.allSettled(waits)).toMatchObject([{ reason: error }, { value: "done" }]);
  });
  it("that take too long are an error that names the unit", async () => {
    const end = expect(new Jobs().waitForStop("/job/1", "a.service")).rejects.toThrow(
      "a.service has been stopping for 300 s",
    );
    await clock.pass(300_000);
    await end;
  });
});

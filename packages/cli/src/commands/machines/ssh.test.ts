import { describe, expect, it } from "vitest";
import { fakeServer } from "../../testing/fake-server.ts";
import { unit } from "../../testing/one-unit.ts";

const { run, answerWith } = fakeServer();

describe("fleetctl ssh", () => {
  it("asks which is meant where a name is a machine's and a unit's", async () => {
    answerWith((_method, path) =>
      path.startsWith("/machines")
        ? { body: { machines: [{ id: "abc.service", primaryIP: "192.0.2.9" }] } }
        : { body: unit },
    );
    expect((await run(["ssh", "abc.service", "true"])).stderr).toContain("is both a machine and a unit");
  });
  it("refuses flags that contradict each other, or make no sense", async () => {
    expect((await run(["ssh", "--machine", "a", "--unit", "b"])).stderr).toContain("can't be used together");
    expect((await run(["ssh"])).stderr).toContain("no machine or unit given");
    expect((await run(["--ssh-timeout=x", "list-units"])).stderr).toContain('invalid --ssh-timeout "x"');
    expect((await run(["--strict-host-key-checking=maybe", "list-units"])).code).toBe(1);
    expect((await run(["--ssh-username=-x", "list-units"])).stderr).toContain("invalid --ssh-username");
    expect((await run(["--driver=etcd", "--tunnel=x", "list-units"])).stderr).toContain("not etcd");
  });
});

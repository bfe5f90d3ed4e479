import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeSystemd } from "../../../../testbed/fake-systemd.ts";
import { FakeSystemdHost } from "../../../../testbed/fake-systemd-host.ts";
import { systemdContract } from "../../../../testbed/systemd-contract.ts";

systemdContract("the fake systemd", async () => {
  const host = new FakeSystemdHost();
  let last: FakeSystemd | undefined;
  const folder = mkdtempSync(join(tmpdir(), "fleet-systemd-"));
  return {
    connect: async () => {
      last = new FakeSystemd(host);
      return last;
    },
    leaveBus: async () => last?.close(),
    write: (name, behaviour) => {
      const { startMs = 0, stopMs = 0 } = behaviour;
      host.behave(name, { ...behaviour, startMs: startMs / 20, stopMs: stopMs / 20 });
      writeFileSync(join(folder, name), "");
      return join(folder, name);
    },
    noFile: join(folder, "none.service"),
    putOwn: async (name) => {
      host.ownFile(name, `/etc/systemd/system/${name}`);
      return `/etc/systemd/system/${name}`;
    },
    removeOwn: async (name) => host.ownFile(name, null),
    mask: async (name) => host.mask(name),
    unmask: async (name) => host.unmask(name),
    enablement: async (name) => host.enablement(name),
    reload: async () => undefined,
    invocation: async (name) => host.invocation(name),
    stop: async () => rmSync(folder, { recursive: true }),
  };
});

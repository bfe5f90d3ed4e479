import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { etcdContract } from "../../../../testbed/etcd-contract.ts";
import { EtcdServer } from "../../../../testbed/etcd-server.ts";
import { FakeEtcd } from "../../../../testbed/fake-etcd.ts";
import { Etcd3Client } from "./etcd3-client.ts";

etcdContract("etcd", async () => {
  const server = await EtcdServer.start();
  return {
    connect: () => new Etcd3Client(server.config()),
    compact: async (revision) => {
      execFileSync("etcdctl", ["--endpoints", server.url, "compact", String(revision)], {
        env: { ...process.env, ETCDCTL_API: "3" },
      });
    },
    letPass: (milliseconds) => sleep(milliseconds),
    stop: () => server.stop(),
  };
});

etcdContract("the fake etcd", async () => {
  const etcd = new FakeEtcd();
  return {
    connect: () => etcd.connect(),
    compact: async (revision) => etcd.compact(revision),
    letPass: async (milliseconds) => etcd.advance(milliseconds),
    stop: async () => etcd.store.close(),
  };
});

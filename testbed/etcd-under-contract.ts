import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { Etcd3Client } from "@fleet/registry";
import type { EtcdUnderContract } from "./etcd-contract.ts";
import { EtcdServer } from "./etcd-server.ts";
import { FakeEtcd } from "./fake-etcd.ts";

/** A real etcd, asked by Etcd3Client. */
export async function realEtcd(): Promise<EtcdUnderContract> {
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
}

/** The fake, whose time passes at once. */
export async function fakeEtcd(): Promise<EtcdUnderContract> {
  const etcd = new FakeEtcd();
  return {
    connect: () => etcd.connect(),
    compact: async (revision) => etcd.compact(revision),
    letPass: async (milliseconds) => etcd.advance(milliseconds),
    stop: async () => etcd.store.close(),
  };
}

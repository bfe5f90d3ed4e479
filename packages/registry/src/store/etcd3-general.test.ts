import { vi } from "vitest";
import { etcdContract } from "../../../../testbed/etcd-contract.ts";
import { realEtcd } from "../../../../testbed/etcd-under-contract.ts";

// As where a later grpc-js no longer asks interceptors how answers are read.
vi.mock("./etcd3-messages.ts", () => ({ READERS: new Map() }));

etcdContract("etcd, read by etcd3's own way", realEtcd);

/** What tests of every package stand on: a real etcd, a registry in it, and a certification authority. */
export { type KeyPair, TestCA } from "./certificates.ts";
export { EtcdServer, type EtcdServerOptions, freePort } from "./etcd-server.ts";
export { type TestRegistry, testRegistry } from "./test-registry.ts";

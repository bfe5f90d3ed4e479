import { expect, it, vi } from "vitest";
import { testRegistry } from "../../../../testbed/test-registry.ts";
import { readDirectly } from "./etcd3-connection.ts";
import { READERS } from "./etcd3-messages.ts";

vi.mock("./etcd3-messages.ts", async (original) => {
  const { READERS: real } = await original<typeof import("./etcd3-messages.ts")>();
  return { READERS: new Map([...real].map(([path, read]) => [path, vi.fn(read)])) };
});

const { registry } = testRegistry("connection");

type Method = Parameters<typeof readDirectly>[0];

const general = (): null => null;
const method = (path: string): Method => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: () => Buffer.alloc(0),
  responseDeserialize: general,
});

it("etcd's frequent answers are read directly by what fleet uses of the libraries", async () => {
  const { etcd, keys } = registry();
  const mirror = registry().mirror();
  const stopping = new AbortController();
  const done = mirror.run(stopping.signal);
  await mirror.ready;
  const { revision } = await etcd.txn([], [{ put: keys.unit("a"), value: "{}" }]);
  await mirror.waitFor(keys.unit("a"), revision, 5_000);
  for (const [path, read] of READERS) expect(read, path).toHaveBeenCalled();
  stopping.abort();
  await done;
});

it("a method that is not frequent, or has no reading of its own to replace, stays as it is", () => {
  const rare = method("/etcdserverpb.Lease/LeaseGrant");
  readDirectly(rare);
  expect(rare.responseDeserialize).toBe(general);
  const changed = { ...method("/etcdserverpb.KV/Range"), responseDeserialize: undefined } as unknown as Method;
  readDirectly(changed);
  expect(changed.responseDeserialize).toBeUndefined();
  const frequent = method("/etcdserverpb.KV/Range");
  readDirectly(frequent);
  expect(frequent.responseDeserialize).toBe(READERS.get("/etcdserverpb.KV/Range"));
});

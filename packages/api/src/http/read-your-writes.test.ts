import type { Mirror } from "@fleet/registry";
import { describe, expect, it } from "vitest";
import { fakeRegistry } from "../../../../testbed/fake-registry.ts";
import { unitHandlers } from "./handlers/units.ts";
import { readYourRefusals, readYourUnits } from "./read-your-writes.ts";

const { etcd, registry, stopping } = fakeRegistry();
const A = "a.service";
const RECORD = { hash: "h", desiredState: "launched" };
const OPTIONS = [{ section: "Service", name: "ExecStart", value: "/bin/a" }];

/** A server whose view of etcd is held up while others change a unit that it shows, and what its handlers answer. */
async function behind(timeoutMs: number) {
  const here = registry();
  const elsewhere = etcd().connect();
  await here.unitWriter().submit({ kind: "set", name: A, options: OPTIONS, desiredState: "launched" });
  const mirror: Mirror = here.mirror({ inOrder: true });
  void mirror.run(stopping().signal);
  await expect.poll(() => mirror.isConnected && mirror.state.units.has(A)).toBe(true);
  etcd().hold("watch");
  const { units } = mirror.state;
  await elsewhere.txn([], [{ delete: here.keys.unit(A) }]);
  const handlers = unitHandlers({
    view: {
      unit: (name: string) => (units.has(name) ? "{}" : null),
      unknownOn: () => [],
      holderOf: () => null,
    } as never,
    writer: here.unitWriter((name) => {
      const record = units.get(name);
      return record === undefined ? null : { record, text: null };
    }),
    registry: here,
    explainer: {} as never,
    untilUnitVisible: readYourUnits(mirror, timeoutMs),
    untilShown: readYourRefusals(mirror, timeoutMs),
    nameOfSender: () => null,
    tokenLimit: () => 100,
    unitSizeLimit: () => 262_144,
  });
  const reply = { code: () => reply, send: () => reply } as never;
  const request = (body: unknown = {}) => ({ params: { unitName: A }, body, query: {} }) as never;
  const again = () => elsewhere.txn([], [{ put: here.keys.unit(A), value: JSON.stringify(RECORD) }]);
  return { handlers, request, reply, mirror, again };
}

describe("a server whose view of etcd is behind", () => {
  it.each([
    ["a destroy", "Units.Delete", {}, "not-found"],
    ["a change of what others have destroyed", "Units.Set", { desiredState: "loaded" }, "refused"],
  ] as const)("refuses %s only once it shows the unit no more", async (_what, operation, body, code) => {
    const { handlers, request, reply, mirror } = await behind(5_000);
    const asked = (): number => etcd().asked.get("range") ?? 0;
    const before = asked();
    let error: unknown = null;
    const answered = Promise.resolve(handlers[operation](request(body), reply)).catch((reason: unknown) => {
      error = reason;
      return mirror.state.units.has(A);
    });
    // What etcd has by now is known here, and the answer waits.
    await expect.poll(asked).toBeGreaterThan(before);
    expect(error).toBeNull();
    etcd().release("watch");
    expect(await answered).toBe(false);
    expect(error).toMatchObject({ code });
  });
  it("answers 503 where its view stays behind", async () => {
    const { handlers, request, reply } = await behind(30);
    await expect(handlers["Units.Delete"](request(), reply)).rejects.toMatchObject({
      status: 503,
      message: "the change was refused, but this server does not show yet why: try again, or try another server",
    });
  });
  it("refuses at once when its view is up to date, though the unit is there again by then", async () => {
    const { handlers, request, reply, mirror, again } = await behind(60_000);
    const asked = (): number => etcd().asked.get("range") ?? 0;
    const before = asked();
    const answered = expect(Promise.resolve(handlers["Units.Delete"](request(), reply))).rejects.toMatchObject({
      code: "not-found",
    });
    await expect.poll(asked).toBeGreaterThan(before);
    await again();
    etcd().release("watch");
    await answered;
    expect(mirror.state.units.has(A)).toBe(true);
  });
});

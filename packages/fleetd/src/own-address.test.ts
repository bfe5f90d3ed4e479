import { networkInterfaces } from "node:os";
import { expect, it } from "vitest";
import { ownAddress } from "./own-address.ts";

it("the address of this machine is one of its interfaces, or there is no route", async () => {
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const address = await ownAddress();
  expect([null, ...own.map((entry) => entry.address)]).toContain(address);
});

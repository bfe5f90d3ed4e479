import { describe, expect, it } from "vitest";
import { ExpectedCalls } from "./expected-calls.ts";

describe("a secret", () => {
  it("is of no use half a minute later", () => {
    let now = 0;
    const calls = new ExpectedCalls<string>(() => now);
    const taken: string[] = [];
    const { id, secret } = calls.expect("api", "m1", (stream) => taken.push(stream));
    const hello = { call: id, machineId: "m1", secret: Buffer.from(secret, "base64url") };
    now = 60_000;
    expect(calls.admit(hello, "late")).toBe(false);
    now = 29_999;
    expect(calls.admit(hello, "in time")).toBe(true);
    expect(taken).toEqual(["in time"]);
  });

  it("has 256 bits, and is another one for each call", () => {
    const calls = new ExpectedCalls<string>();
    const secrets = Array.from({ length: 100 }, () => calls.expect("api", "m1", () => undefined).secret);
    expect(new Set(secrets).size).toBe(100);
    expect(Buffer.from(secrets[0] ?? "", "base64url")).toHaveLength(32);
  });
});

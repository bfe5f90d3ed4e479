import { expect, it } from "vitest";
import { foreignPage } from "./web-origin.ts";

const OWN = "H1";
it.each([
  ["localhost", undefined],
  ["localhost:49153", undefined],
  ["fleet.localhost", undefined],
  ["127.0.0.1:49153", undefined],
  ["127.9.9.9", undefined],
  ["[::1]:49153", undefined],
  ["[::ffff:127.0.0.1]", undefined],
  ["h1:49153", undefined],
  [undefined, undefined],
  ["LOCALHOST:1", "http://localhost:1"],
  ["[::1]:1", "https://[::1]:1"],
])("on a loopback address Host %s with Origin %s is served", (host, origin) =>
  expect(foreignPage({ host, origin, isLoopback: true }, OWN)).toBeNull(),
);
it.each([
  ["evil.example", undefined],
  ["127.0.0.1.evil.example:49153", undefined],
  ["127.evil.example", undefined],
  ["evil.example", "http://evil.example"],
  ["localhost.evil.example", undefined],
  ["192.0.2.1", undefined],
  ["", undefined],
  ["localhost", "null"],
  ["localhost:1", "http://localhost:2"],
  ["localhost", "http://evil.example"],
  [undefined, "http://localhost"],
])("on a loopback address Host %s with Origin %s is refused", (host, origin) =>
  expect(foreignPage({ host, origin, isLoopback: true }, OWN)).toMatch(
    /^permission denied: requests from web pages|^invalid Host /,
  ),
);
it("on other addresses any name is served, and no page of another origin", () => {
  expect(foreignPage({ host: "fleet.example.com", origin: undefined, isLoopback: false }, OWN)).toBeNull();
  expect(foreignPage({ host: "fleet.example.com", origin: "http://a.example", isLoopback: false }, OWN)).toContain(
    "permission denied",
  );
});

import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TestCA } from "../../../../testbed/certificates.ts";
import { fakeServer } from "../testing/fake-server.ts";
import { id } from "../testing/one-unit.ts";

const { run, socket } = fakeServer();

describe("an API that wants TLS and a token", () => {
  it("is reached with --ca-file and --token-file, and without them says what is missing", async () => {
    const ca = new TestCA();
    const pair = ca.sign("api", ["IP:127.0.0.1"]);
    const asked: (string | undefined)[] = [];
    const server = createServer({ cert: readFileSync(pair.cert), key: readFileSync(pair.key) }, (request, response) => {
      asked.push(request.headers.authorization);
      response.end(JSON.stringify({ machines: [{ id }] }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const endpoint = `--endpoint=https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    writeFileSync(join(ca.folder, "token"), "secret\n");
    try {
      const args = [
        endpoint,
        `--ca-file=${ca.ca}`,
        `--token-file=${join(ca.folder, "token")}`,
        "list-machines",
        "--no-legend",
      ];
      expect(await run(args)).toMatchObject({ code: 0, stdout: "113f16a7...\t-\t-\n" });
      expect(asked).toEqual(["Bearer secret"]);
      expect((await run([endpoint, "list-machines"])).stderr).toContain("name the CA's file with --ca-file");
      expect((await run([endpoint, `--cert-file=${pair.cert}`, "list-machines"])).stderr).toContain("belong together");
    } finally {
      server.closeAllConnections();
      server.close();
      ca.remove();
    }
  });
});

describe("several endpoints", () => {
  it("are tried in turn; through a tunnel there is one", async () => {
    const endpoint = `--endpoint=unix:///nowhere,unix://${socket}`;
    expect(await run([endpoint, "list-machines", "--no-legend"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await run([endpoint, "--tunnel=bastion", "list-machines"])).stderr).toBe(
      "Error: --tunnel leads to one API: give --endpoint one, as the bastion sees it\n",
    );
  });
});
